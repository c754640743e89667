"""Written result: a result as its files hold it, cut to the region and in whole HU, and what can be said of that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
import torch

from CTSuperResolutionLib.degradation.acquisition import Acquisition
from CTSuperResolutionLib.degradation.data_consistency import METAL_HU, residual_norms
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.region import Slices
from CTSuperResolutionLib.job.target_grid import TargetGrid
from CTSuperResolutionLib.output.ct_numbers import ct_numbers
from CTSuperResolutionLib.output.slab_store import StoredArray
from CTSuperResolutionLib.output.written_part import JUDGED, VOLUMES
from CTSuperResolutionLib.pipeline import Result
from CTSuperResolutionLib.quantification.added_structure import added_by_tissue, region_labels
from CTSuperResolutionLib.volume.checks import AIR_HU
from CTSuperResolutionLib.volume.filling import far_from_filled
from CTSuperResolutionLib.volume.volume import Volume


def written_result(
    scan: Volume,
    region: Slices,
    target: TargetGrid,
    acquisition: Acquisition,
    arrays: Callable[[str], np.ndarray | StoredArray | None],
    report: dict[str, Any],
    progress: Progress,
) -> Result:
    """A result in the HU that its files have, with a report on exactly that.

    In the report, ``consistency`` is that of the whole HU over the region's voxels, where A sees the margin as well,
    and sees next to nothing that was not measured; ``voxels`` counts those of the scan's region that are padding (−1024
    HU, as which padding is read) or metal (3071 HU or more), and those of the result that int16 clips; ``added`` is how
    large ``sr`` less ``measured`` is by tissue, None where values are no HU. See :func:`ct_numbers` for the rest.

    Args:
        scan: what was worked on, the region with its margin. region: slices along (z, y, x), in voxels of ``scan``.
        target: the grid of the result over all of ``scan``. acquisition: of the scan.
        arrays: those of :class:`.WrittenPart` over the region, by name; None where there is none of a name.
        report: of the pipeline, with ``clipped``, the voxels that int16 clips.
        progress: advanced by one.
    """
    measured, grid = scan.crop(region), target.part(region)
    counts = np.ones(measured.shape, dtype=bool) if scan.valid is None else far_from_filled(scan.valid)[region]
    # Those that are stored are read by the slice, as often as they are needed.
    errors = {name: cast(np.ndarray, arrays(f"{name}_error")) for name in JUDGED}
    consistency = {
        name: residual_norms(torch.from_numpy(error[own]) for error, own in zip(of_slices, counts, strict=True))
        for name, of_slices in errors.items()
    }
    padding = measured.array == AIR_HU
    if measured.valid is not None:
        padding = ~measured.valid & (measured.array < METAL_HU)
    voxels = {
        "padding": int(np.count_nonzero(padding)),
        "metal": int(np.count_nonzero(measured.array >= METAL_HU)),
        "clipped": report.pop("clipped"),
    }
    del counts, padding
    volumes = {
        name: _on_grid(array, measured, grid)
        for name in (*VOLUMES, "uncertainty")
        for array in [arrays(name)]
        if array is not None
    }
    compared = {name: volumes[name] for name in JUDGED}
    numbers = ct_numbers(scan, region, errors, compared, grid, progress)
    added = None if scan.value_scale is not None else _added(volumes, region_labels(scan)[region], grid)
    return Result(
        volumes["sr"],
        lambda: volumes["cubic"],
        lambda: volumes["measured"],
        volumes.get("uncertainty"),
        acquisition,
        report | {"consistency": consistency, "voxels": voxels, "added": added, **numbers},
    )


def _added(volumes: Mapping[str, Volume], labels: np.ndarray, grid: TargetGrid) -> dict[str, dict[str, float] | None]:
    """What was added by tissue, rounded."""
    found = added_by_tissue(volumes["sr"].array, volumes["measured"].array, labels, grid)
    return {where: size and {name: round(value, 2) for name, value in size.items()} for where, size in found.items()}


def _on_grid(array: np.ndarray | StoredArray, scan: Volume, grid: TargetGrid) -> Volume:
    """A volume over a scan. What is stored is read by the slice where it is needed, as an array would be."""
    values = cast(np.ndarray, array) if isinstance(array, StoredArray) else np.asarray(array, dtype=np.float32)
    return Volume(values, grid.spacing, scan.point(grid.first), scan.direction, value_scale=scan.value_scale)
