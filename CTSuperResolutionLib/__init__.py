"""Zero-shot CT super-resolution: a 2D X-ray diffusion prior, signed 3D Gaussians and the scan itself.

The names below are loaded when they are first used: importing the package imports nothing heavy. 3D Slicer's own
process reads :mod:`CTSuperResolutionLib.job` from it, and must never load torch.

    from CTSuperResolutionLib import Method, read_volume, super_resolve, write_volume

    scan = read_volume("scan.nrrd")
    result = super_resolve(scan, Method(scale="4", preset="preview"))
    write_volume(result.sr, "sr.nrrd")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from CTSuperResolutionLib.degradation.simulation import degrade
    from CTSuperResolutionLib.diffusion.prior import Prior
    from CTSuperResolutionLib.errors import Cancelled, JobError
    from CTSuperResolutionLib.job.events import Progress
    from CTSuperResolutionLib.job.job import Job
    from CTSuperResolutionLib.job.method import Method
    from CTSuperResolutionLib.pipeline import Result, super_resolve
    from CTSuperResolutionLib.volume.reading import read_volume
    from CTSuperResolutionLib.volume.volume import Volume
    from CTSuperResolutionLib.volume.writing import write_volume

__version__ = "0.1.0"

__all__ = [
    "Cancelled",
    "Job",
    "JobError",
    "Method",
    "Prior",
    "Progress",
    "Result",
    "Volume",
    "degrade",
    "read_volume",
    "super_resolve",
    "write_volume",
]

_MODULES = {
    "Cancelled": "errors",
    "Job": "job.job",
    "JobError": "errors",
    "Method": "job.method",
    "Prior": "diffusion.prior",
    "Progress": "job.events",
    "Result": "pipeline",
    "Volume": "volume.volume",
    "degrade": "degradation.simulation",
    "read_volume": "volume.reading",
    "super_resolve": "pipeline",
    "write_volume": "volume.writing",
}


def __getattr__(name: str) -> object:
    """A public name, loaded now (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
