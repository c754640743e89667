"""Scores of one result, under the names that tables have."""

from __future__ import annotations

import math

import numpy as np
import torch

from CTSuperResolutionLib.degradation.data_consistency import residual_norms
from CTSuperResolutionLib.degradation.operator import make_degradation
from CTSuperResolutionLib.degradation.upsampling import upsample
from CTSuperResolutionLib.evaluation import metrics
from CTSuperResolutionLib.evaluation.ct_numbers import ct_number_scores
from CTSuperResolutionLib.evaluation.edges import edge_rise
from CTSuperResolutionLib.evaluation.tissues import TISSUES, tissue_error
from CTSuperResolutionLib.volume.volume import Volume

Scores = dict[str, float | None]


def score(result: Volume, reference: Volume, scan: Volume, blur: float) -> Scores:
    """Compare a result with the reference on the same grid, and with the scan that was made from it.

    Args:
        result, reference: HU, (z, y, x).
        scan: the reference degraded by whole factors.
        blur: σ of that degradation, in voxels of the reference.

    Returns:
        Figures by name; None where there is nothing to measure.
    """
    psnr_db = metrics.psnr(result, reference)
    # Infinite where both are equal within the range that it looks at, as in nothing but air: no number for a mean.
    found: Scores = {"psnr_db": None if math.isinf(psnr_db) else psnr_db, "ssim": metrics.ssim(result, reference)}
    found["ssim_3d"] = metrics.ssim_3d(result, reference)
    for plane in metrics.PLANES:
        found[f"ssim_{plane}"] = found["ssim"] if plane == "axial" else metrics.ssim(result, reference, plane)
    for plane in metrics.PLANES:
        found[f"slice_step_{plane}_hu"] = metrics.slice_step_error(result, reference, plane)
    edges = edge_rise(result, reference)
    found |= {"edge_rise_mm": edges.rise_mm, "edge_rise_reference_mm": edges.reference_mm, "edges_lost": edges.lost}
    for tissue in TISSUES:
        bias, noise = tissue_error(result, reference, tissue) or (None, None)
        found |= {f"bias_{tissue}_hu": bias, f"noise_{tissue}_hu": noise}
    nz, ny, nx = (fine // coarse for fine, coarse in zip(reference.shape, scan.shape, strict=True))
    factors = (nz, ny, nx)
    degradation = make_degradation(reference.shape, factors, blur=blur)
    fine, coarse = (torch.from_numpy(np.ascontiguousarray(v.array)) for v in (result, scan))
    residual = degradation.A(fine) - coarse
    found["consistency_rms_hu"] = residual_norms([residual])["rms_hu"]
    cubic = scan.with_array(upsample(coarse, factors).numpy(), factors)
    return found | ct_number_scores(result, reference, cubic, scan, residual.numpy())
