"""CT numbers of an evaluated result: shifts by tissue, densitometry of lung and noise power, by the names of scores."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from CTSuperResolutionLib.quantification.densitometry import LungDensity, lung_density, lung_mask
from CTSuperResolutionLib.quantification.noise_power import flat_regions, noise_power
from CTSuperResolutionLib.quantification.tissue_shift import TISSUE_RANGES, tissue_labels, tissue_shift, worst_shift
from CTSuperResolutionLib.volume.volume import Volume

DENSITIES = tuple(LungDensity.__dataclass_fields__)
CT_NUMBERS = (
    *(f"shift_{tissue}_{against}_hu" for against in ("scan", "truth") for tissue in TISSUE_RANGES),
    "worst_shift_scan_hu",
    "worst_shift_truth_hu",
    *(f"{name}{of}" for name in DENSITIES for of in ("", "_reference", "_scan", "_error")),
    "noise_power_ratio",
    "noise_power_ratio_reference",
    "noise_frequency_per_mm",
    "noise_frequency_per_mm_reference",
)
"""The names of these scores.

A shift is the mean error within a tissue of the scan: of the degraded result against the scan, and of the result
against the reference. The reference does not choose the voxels: its noise would, and a mean over voxels that noise
chose is not that of the tissue. Of densitometry there is the result's, the reference's and the scan's in the scan's
lung, and the result's error against the reference. Noise power ratios are to cubic's.
"""


def ct_number_scores(
    result: Volume, reference: Volume, cubic: Volume, scan: Volume, residual: np.ndarray
) -> dict[str, float | None]:
    """The scores CT_NUMBERS; None where there is too little of what they are measured in.

    Args:
        result, reference, cubic: HU, on the fine grid. cubic: upsampling of the scan.
        scan: HU, on the coarse grid. residual: A x − y of the result, HU, on that grid.
    """
    labels = tissue_labels(scan)
    found: dict[str, float | None] = {}
    for against, error in (("scan", residual), ("truth", result.array - reference.array)):
        by_tissue = tissue_shift(error, labels)
        found |= {f"shift_{tissue}_{against}_hu": shift for tissue, shift in by_tissue.items()}
        found[f"worst_shift_{against}_hu"] = worst_shift(by_tissue)
    return found | dict(_densities(result, reference, scan)) | _noise(result, reference, cubic, scan)


def _densities(result: Volume, reference: Volume, scan: Volume) -> Iterator[tuple[str, float | None]]:
    lung = lung_mask(scan)
    ours, theirs, coarse = (lung_density(volume.array, lung) for volume in (result, reference, scan))
    for name in DENSITIES:
        value, true, scanned = (None if found is None else getattr(found, name) for found in (ours, theirs, coarse))
        yield name, value
        yield f"{name}_reference", true
        yield f"{name}_scan", scanned
        yield f"{name}_error", None if value is None or true is None else value - true


def _noise(result: Volume, reference: Volume, cubic: Volume, scan: Volume) -> dict[str, float | None]:
    regions = flat_regions(scan)
    ours, theirs, base = (noise_power(v.array, v.spacing, regions, scan.shape) for v in (result, reference, cubic))
    return {
        "noise_power_ratio": ours.variance / base.variance if ours and base else None,
        "noise_power_ratio_reference": theirs.variance / base.variance if theirs and base else None,
        "noise_frequency_per_mm": ours.mean_frequency if ours else None,
        "noise_frequency_per_mm_reference": theirs.mean_frequency if theirs else None,
    }
