"""Baselines: interpolation, and interpolation made to agree with the scan."""

from __future__ import annotations

import torch

from CTSuperResolutionLib.degradation.data_consistency import agree_with_scan
from CTSuperResolutionLib.degradation.noise_estimation import scan_noise
from CTSuperResolutionLib.degradation.operator import assumed_blur, make_degradation
from CTSuperResolutionLib.degradation.upsampling import upsample
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.volume.volume import Volume


def baseline(name: str, scan: Volume, method: Method) -> Volume:
    """Upsample a scan.

    Args:
        name: "trilinear", "cubic" or "consistent" (cubic, then the first step of the pipeline: what the blur of
            ``method``, its damping and the scan's noise say of the scan).
        scan: HU, (z, y, x).
        method: its scale and parameters are used.
    """
    factors, p = method.factors(scan.spacing, scan.shape), method.parameters
    coarse = torch.from_numpy(scan.array)
    if name == "trilinear":
        # Samples at voxel centres; beyond the outer ones the edge value goes on.
        fine = torch.nn.functional.interpolate(
            coarse[None, None], scale_factor=tuple(map(float, factors)), mode="trilinear", align_corners=False
        )[0, 0]
    else:
        fine = upsample(coarse, factors)
    if name == "consistent":
        degradation = make_degradation(fine.shape, factors, kernel=p.kernel, blur=assumed_blur(p.blur, factors))
        trusted = degradation.trusted(coarse, fine, scan_noise(scan.array).damping(p.damping))
        fine = agree_with_scan(fine, trusted, degradation, rounds=p.consistency_rounds)
    return scan.with_array(fine.numpy(), factors)
