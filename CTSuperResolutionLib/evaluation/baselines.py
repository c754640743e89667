"""Baselines: interpolation, and interpolation made to agree with the scan."""

from __future__ import annotations

import torch

from CTSuperResolutionLib.degradation.upsampling import upsample_onto
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.stages.upsample_scan import upsample_scan
from CTSuperResolutionLib.volume.volume import Volume


def baseline(name: str, scan: Volume, method: Method) -> Volume:
    """Upsample a scan.

    Args:
        name: "trilinear", "cubic" or "consistent" (cubic, then the first step of the pipeline: what the blur of
            ``method``, its damping and the scan's noise say of the scan).
        scan: HU, (z, y, x).
        method: its scale and parameters are used.
    """
    target, p = method.target_grid(scan.shape, scan.spacing), method.parameters
    coarse = torch.from_numpy(scan.array)
    if name == "consistent":
        upsampled = upsample_scan(scan, target, p, coarse.device)
        return upsampled.to_volume(upsampled.measured())
    if name == "trilinear":
        # Samples at voxel centres; beyond the outer ones the edge value goes on.
        fine = torch.nn.functional.interpolate(
            coarse[None, None], size=target.shape, mode="trilinear", align_corners=False
        )[0, 0]
    else:
        fine = upsample_onto(coarse, target.axes)
    return scan.on_target(fine.numpy(), target)
