"""Projection of Gaussians on a detector: 2D Gaussians whose heights are line integrals (eq. 4)."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from CTSuperResolutionLib.kernels.constants import NEAREST
from CTSuperResolutionLib.projection.geometry import ScanGeometry


class Splats(NamedTuple):
    """Footprints on the detector, in pixels.

    Attributes:
        centres: (n, 2) as (u, v); pixel [0, 0] is centred on (0, 0).
        covariances: (n, 3): uu, uv, vv of Σ̂.
        heights: (n,) line integral through the centre, density x scene length.
    """

    centres: torch.Tensor
    covariances: torch.Tensor
    heights: torch.Tensor


def covariance(log_scales: torch.Tensor, quats: torch.Tensor) -> torch.Tensor:
    """Σ = R diag(s²) Rᵀ, (n, 3, 3), of log-scales (n, 3) and quaternions (w, x, y, z) of any length (n, 4)."""
    half = rotation(quats) * log_scales.exp()[:, None]
    return half @ half.transpose(1, 2)


def rotation(quats: torch.Tensor) -> torch.Tensor:
    """Rotation matrices (n, 3, 3) of quaternions (w, x, y, z) of any length (n, 4)."""
    w, x, y, z = torch.nn.functional.normalize(quats, dim=-1).unbind(-1)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def project_gaussians(
    means: torch.Tensor,
    log_scales: torch.Tensor,
    quats: torch.Tensor,
    densities: torch.Tensor,
    geometry: ScanGeometry,
    view: int,
) -> Splats:
    """Footprints of Gaussians on the detector of one view.

    With J the local map from the world to (detector u, detector v, distance along the ray) and Σ̃ = J Σ Jᵀ, the line
    integral at distance d from the centre is ρ √(2π |Σ̃| / |Σ̂|) exp(−½ dᵀ Σ̂⁻¹ d), Σ̂ the upper 2 x 2 block. This is
    exact for a parallel beam, and the first-order approximation at the Gaussian's centre for a cone beam.

    Args:
        means: (n, 3) as (x, y, z), scene units.
        log_scales: (n, 3). quats: (n, 4). densities: (n,) signed ρ.
        geometry: in scene units.
        view: index of the angle.
    """
    angle = geometry.angles[view]
    cos, sin = math.cos(angle), math.sin(angle)
    axes = means.new_tensor([[cos, sin, 0.0], [0.0, 0.0, 1.0], [-sin, cos, 0.0]])
    local = means @ axes.T  # (u, v, along the central ray)
    source, detector = geometry.source_distance, geometry.detector_distance
    if source is not None and detector is not None:
        depth = local[:, 2] + source
        behind = depth <= NEAREST * source  # the source, or so near to it that they are not seen
        depth = torch.where(behind, source, depth)
        densities = torch.where(behind, 0.0, densities)
        zoom = detector / depth
        zero = torch.zeros_like(zoom)
        ray = torch.stack([local[:, 0], local[:, 1], depth], -1)
        jacobian = torch.stack(
            [
                torch.stack([zoom, zero, -zoom * local[:, 0] / depth], -1),
                torch.stack([zero, zoom, -zoom * local[:, 1] / depth], -1),
                torch.nn.functional.normalize(ray, dim=-1),
            ],
            -2,
        )
        jacobian = jacobian @ axes
        on_detector = local[:, :2] * zoom[:, None]
    else:
        jacobian = axes.expand(len(means), 3, 3)
        on_detector = local[:, :2]

    half = jacobian @ (rotation(quats) * log_scales.exp()[:, None])
    sigma = half @ half.transpose(1, 2)
    uu, uv, vv = sigma[:, 0, 0], sigma[:, 0, 1], sigma[:, 1, 1]
    # |Σ̃| from the factor's determinant: far better conditioned for needles than the 3 x 3 determinant of the product.
    volume = torch.linalg.det(jacobian).abs() * log_scales.sum(-1).exp()
    area = (uu * vv - uv * uv).clamp(min=torch.finfo(uu.dtype).tiny).sqrt()
    heights = densities * math.sqrt(2 * math.pi) * volume / area

    dv, du = geometry.detector_spacing
    nv, nu = geometry.detector_shape
    pixel = means.new_tensor([du, dv])
    centres = on_detector / pixel + means.new_tensor([(nu - 1) / 2, (nv - 1) / 2])
    return Splats(centres, torch.stack([uu / (du * du), uv / (du * dv), vv / (dv * dv)], -1), heights)
