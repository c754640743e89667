"""Written part: what files hold of a result, or of a slab of it: whole HU, and how far these are from the scan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from CTSuperResolutionLib.job.region import Slices
from CTSuperResolutionLib.job.target_grid import TargetGrid
from CTSuperResolutionLib.pipeline import Result
from CTSuperResolutionLib.volume.volume import Volume
from CTSuperResolutionLib.volume.writing import to_int16

VOLUMES = ("sr", "cubic", "measured")
JUDGED = VOLUMES[:2]


@dataclass(frozen=True, eq=False)
class WrittenPart:
    """A part of a result as its files hold it.

    Attributes:
        arrays: "sr", "cubic" and "measured", HU as int16, or float32 where they are no HU; "sr_error" and
            "cubic_error", A x − y of those, HU, float32, in voxels of the scan; "uncertainty", HU, float32, if any.
        clipped: how many voxels of the result int16 clips.
        report: of the pipeline.
    """

    arrays: dict[str, np.ndarray]
    clipped: int
    report: dict[str, Any]

    @classmethod
    def of(cls, scan: Volume, result: Result, target: TargetGrid, region: Slices) -> WrittenPart:
        """The part in a region; beyond it A sees the margin.

        Args:
            scan: what was worked on. target: the result's grid.
            result: what came of it; its volumes are let go of as soon as they are looked at, if nothing else has them.
            region: slices along (z, y, x), in voxels of ``scan``.
        """
        degradation, fine = result.acquisition.degradation_from(target.axes), target.within(region)
        scanned, report = torch.from_numpy(scan.array[region]), dict(result.report)
        uncertainty = result.uncertainty
        # One at a time, for volumes are what limits the size of a job.
        makers: dict[str, Callable[[], Volume]] = {
            "sr": [result.sr].pop,
            "cubic": result.make_cubic,
            "measured": result.make_measured,
        }
        del result
        arrays, clipped = {}, 0
        for name in VOLUMES:
            volume = makers.pop(name)()
            # What is no HU is written as it is: see Volume.value_scale.
            stored = volume.array if volume.value_scale is not None else _whole_hu(volume.array)
            if name == "sr" and volume.value_scale is None:
                clipped = _clipped(volume.array[fine])
            del volume
            arrays[name] = np.ascontiguousarray(stored[fine])
            if name in JUDGED:
                arrays[f"{name}_error"] = (degradation.A_by_slices(torch.from_numpy(stored))[region] - scanned).numpy()
        if uncertainty is not None:
            arrays["uncertainty"] = np.ascontiguousarray(uncertainty.array[fine])
        return cls(arrays, clipped, report)


def _whole_hu(values: np.ndarray) -> np.ndarray:
    """As :func:`to_int16`, slice by slice."""
    stored = np.empty(values.shape, dtype=np.int16)
    for whole, hu in zip(stored, values, strict=True):
        whole[...] = to_int16(hu)
    return stored


def _clipped(values: np.ndarray) -> int:
    """How many voxels int16 clips."""
    limits = np.iinfo(np.int16)
    return sum(int(np.count_nonzero((hu < limits.min) | (hu > limits.max))) for hu in values)
