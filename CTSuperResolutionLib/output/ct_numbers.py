"""CT numbers of a written result: what became of the scan's HU by tissue, in the lung and in flat regions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.region import Slices
from CTSuperResolutionLib.job.target_grid import TargetGrid
from CTSuperResolutionLib.quantification.densitometry import lung_density, lung_mask
from CTSuperResolutionLib.quantification.noise_power import flat_regions, noise_power
from CTSuperResolutionLib.quantification.tissue_shift import tissue_labels, tissue_shift
from CTSuperResolutionLib.volume.volume import Volume


def ct_numbers(
    scan: Volume,
    region: Slices,
    errors: Mapping[str, np.ndarray],
    volumes: Mapping[str, Volume],
    target: TargetGrid,
    progress: Progress,
) -> dict[str, Any]:
    """The entries ``tissue_shift``, ``densitometry`` and ``noise_power`` of a report; None where none can be.

    Args:
        scan: what was worked on; tissues and lung are told apart in the whole of it.
        region: slices along (z, y, x), in voxels of ``scan``.
        errors: A x − y of every volume, HU, in the region.
        volumes: sr and cubic as they are written, over the region. target: their grid there.
        progress: advanced by one.
    """
    if scan.value_scale is not None:  # no HU, so that no range of them means anything
        progress.advance()
        return {"tissue_shift": None, "densitometry": None, "noise_power": None}
    labels = tissue_labels(scan)[region]
    shifts = {
        name: {tissue: None if hu is None else round(hu, 2) for tissue, hu in tissue_shift(error, labels).items()}
        for name, error in errors.items()
    }
    inner = scan.crop(region)
    return {
        "tissue_shift": shifts,
        "densitometry": _densitometry(inner, lung_mask(scan)[region], volumes, target, progress),
        "noise_power": _noise_power(inner, volumes),
    }


def _densitometry(
    scan: Volume, lung: np.ndarray, volumes: Mapping[str, Volume], target: TargetGrid, progress: Progress
) -> dict[str, Any] | None:
    parts = progress.in_parts(1 + len(volumes))
    found: dict[str, Any] = {"lung_ml": round(float(np.count_nonzero(lung) * np.prod(scan.spacing)) / 1000, 1)}
    for name, volume in {"scan": scan, **volumes}.items():
        density = lung_density(volume.array, lung, parts, None if volume is scan else target)
        found[name] = None if density is None else density.report()
    return None if found["scan"] is None else found


def _noise_power(scan: Volume, volumes: Mapping[str, Volume]) -> dict[str, Any] | None:
    regions = flat_regions(scan)
    found = {name: noise_power(v.array, v.spacing, regions, scan.shape) for name, v in volumes.items()}
    sr, cubic = found["sr"], found["cubic"]
    if sr is None or cubic is None:
        return None
    return {
        "regions": len(regions),
        "ratio": round(sr.variance / cubic.variance, 3),
        "noise_hu": {"sr": round(sr.variance**0.5, 2), "cubic": round(cubic.variance**0.5, 2)},
        "mean_frequency_per_mm": {"sr": round(sr.mean_frequency, 4), "cubic": round(cubic.mean_frequency, 4)},
    }
