"""Written result: a result as its files hold it, cut to the region and in whole HU, and what can be said of that."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from CTSuperResolutionLib.degradation.data_consistency import METAL_HU, residual_norms
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.region import Slices
from CTSuperResolutionLib.job.target_grid import TargetGrid
from CTSuperResolutionLib.output.ct_numbers import ct_numbers
from CTSuperResolutionLib.pipeline import Result
from CTSuperResolutionLib.quantification.added_structure import added_by_tissue, region_labels
from CTSuperResolutionLib.volume.checks import AIR_HU
from CTSuperResolutionLib.volume.filling import far_from_filled
from CTSuperResolutionLib.volume.volume import Volume
from CTSuperResolutionLib.volume.writing import to_int16


def written_result(scan: Volume, result: Result, target: TargetGrid, region: Slices, progress: Progress) -> Result:
    """A result cut to a region, in the whole HU that its files have, with a report on exactly that.

    In the report, ``consistency`` is that of the whole HU over the region's voxels, where A sees the margin as well,
    and sees next to nothing that was not measured; ``voxels`` counts those of the scan's region that are padding (−1024
    HU, as which padding is read) or metal (3071 HU or more), and those of the result that int16 clips; ``added`` is how
    large ``sr`` less ``measured`` is by tissue, None where values are no HU. See :func:`ct_numbers` for the rest.

    Args:
        scan: what was worked on, the region with its margin. result: what came of it. target: its grid.
        region: slices along (z, y, x), in voxels of ``scan``.
        progress: advanced by three.
    """
    degradation = result.acquisition.degradation_from(target.axes)
    z, y, x = target.within(region)
    scanned = scan.array[region]
    counts = np.ones_like(scanned, dtype=bool) if scan.valid is None else far_from_filled(scan.valid)[region]
    volumes, errors = {}, {}
    for name, volume in (("sr", result.sr), ("cubic", result.cubic)):
        # What is no HU is written as it is: see Volume.value_scale.
        whole = to_int16(volume.array).astype(np.float32) if volume.value_scale is None else volume.array
        error = degradation.A(torch.from_numpy(whole))[region] - torch.from_numpy(scanned)
        errors[name] = error.numpy()
        volumes[name] = volume.with_array(whole).crop((z, y, x))
        progress.advance()
    measured = result.measured.crop((z, y, x))
    if measured.value_scale is None:
        measured = measured.with_array(to_int16(measured.array).astype(np.float32))
    limits = np.iinfo(np.int16)
    sr = result.sr.array[z, y, x]
    counted = {
        "padding": scanned == AIR_HU if scan.valid is None else ~scan.valid[region] & (scanned < METAL_HU),
        "metal": scanned >= METAL_HU,
        "clipped": ((sr < limits.min) | (sr > limits.max)) & (result.sr.value_scale is None),
    }
    consistency = {name: residual_norms(torch.from_numpy(error[counts])) for name, error in errors.items()}
    numbers = ct_numbers(scan, region, errors, volumes, target.part(region), progress)
    added = None if scan.value_scale is not None else _added(volumes["sr"], measured, scan, region, target)
    voxels = {what: int(np.count_nonzero(where)) for what, where in counted.items()}
    return replace(
        result,
        sr=volumes["sr"],
        cubic=volumes["cubic"],
        measured=measured,
        uncertainty=None if result.uncertainty is None else result.uncertainty.crop((z, y, x)),
        report=result.report | {"consistency": consistency, "voxels": voxels, "added": added, **numbers},
    )


def _added(
    sr: Volume, measured: Volume, scan: Volume, region: Slices, target: TargetGrid
) -> dict[str, dict[str, float] | None]:
    """What was added by tissue, rounded."""
    found = added_by_tissue(sr.array, measured.array, region_labels(scan)[region], target.part(region))
    return {where: size and {name: round(value, 2) for name, value in size.items()} for where, size in found.items()}
