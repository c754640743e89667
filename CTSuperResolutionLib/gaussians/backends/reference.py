"""Reference implementation of rasterize and voxelize in plain torch: differentiable, any device, float32 or float64.

Every Gaussian is evaluated on a window of samples around its centre. Windows of like size are handled together, and
their values are summed into an array with a margin, so that nothing has to be clipped at its borders. A sum needs no
order: there is no sorting, no transmittance and no threshold on the values.

A Gaussian ends RADIUS standard deviations from its centre. Its value there, FLOOR of its height, is subtracted
everywhere, so that the tail reaches zero without a step: exp(−q/2) − exp(−R²/2), an error of at most exp(−8) = 3.4e-4.
"""

from __future__ import annotations

import math

import torch

from CTSuperResolutionLib.gaussians.backends.field_arrays import check_shapes, check_sound
from CTSuperResolutionLib.gaussians.losses import view_loss
from CTSuperResolutionLib.gaussians.projection import covariance, project_gaussians
from CTSuperResolutionLib.gaussians.scene import VoxelGrid
from CTSuperResolutionLib.kernels.constants import FLOOR, RADIUS
from CTSuperResolutionLib.projection.geometry import ScanGeometry

__all__ = ["check", "rasterize", "view_loss", "voxelize"]

WINDOW_SAMPLES = 4_000_000  # evaluated at once, which bounds the memory


def rasterize(
    means: torch.Tensor,
    log_scales: torch.Tensor,
    quats: torch.Tensor,
    densities: torch.Tensor,
    geometry: ScanGeometry,
    view: int,
) -> torch.Tensor:
    """Line integrals of a signed Gaussian field, (detector v, detector u), density x scene length.

    Arguments as :func:`~CTSuperResolutionLib.gaussians.projection.project_gaussians` takes them.

    Raises:
        ValueError: values that are not finite or beyond the limits of field_arrays.
    """
    check_shapes(means, log_scales, quats, densities)
    check_sound(means, log_scales, quats, densities)
    splats = project_gaussians(means, log_scales, quats, densities, geometry, view)
    uu, uv, vv = splats.covariances.unbind(-1)
    determinant = uu * vv - uv * uv
    precision = torch.stack([uu / determinant, -uv / determinant, vv / determinant], -1)  # vv, uv, uu
    reach = RADIUS * torch.stack([vv, uu], -1).detach().sqrt()
    return _sum_windows(splats.centres.flip(-1), reach, precision, splats.heights, geometry.detector_shape)


def voxelize(
    means: torch.Tensor,
    log_scales: torch.Tensor,
    quats: torch.Tensor,
    densities: torch.Tensor,
    grid: VoxelGrid,
) -> torch.Tensor:
    """Values Σ ρ exp(−½ dᵀ Σ⁻¹ d) of a signed Gaussian field at the voxel centres of a grid, (z, y, x).

    Args:
        means: (n, 3) as (x, y, z), scene units. log_scales: (n, 3). quats: (n, 4). densities: (n,).
        grid: voxels in scene units; any sub-box costs only the Gaussians that touch it.
    """
    check_shapes(means, log_scales, quats, densities)
    check_sound(means, log_scales, quats, densities)
    spacing = means.new_tensor(grid.spacing)
    centres = (means.flip(-1) - means.new_tensor(grid.first)) / spacing
    sigma = covariance(log_scales, quats).flip(-1, -2) / (spacing[:, None] * spacing)
    reach = RADIUS * sigma.detach().diagonal(dim1=-2, dim2=-1).sqrt()
    near = ((centres.detach() + reach > -0.5) & (centres.detach() - reach < means.new_tensor(grid.shape) - 0.5)).all(-1)
    inverse = torch.linalg.inv(sigma[near])
    rows, columns = torch.triu_indices(3, 3)
    return _sum_windows(centres[near], reach[near], inverse[:, rows, columns], densities[near], grid.shape)


def check() -> None:
    """Nothing to wait for: what is wrong raises at once."""


def _sum_windows(
    centres: torch.Tensor, reach: torch.Tensor, precision: torch.Tensor, heights: torch.Tensor, shape: tuple[int, ...]
) -> torch.Tensor:
    """Σ h (exp(−½ dᵀ P d) − floor)₊ on an array of ``shape``.

    Args:
        centres: (n, k) in samples, in the order of the array's axes. reach: (n, k) in samples.
        precision: (n, k (k + 1) / 2), upper triangle of P row by row. heights: (n,).
    """
    dimensions = len(shape)
    half_widths = reach.amax(-1).ceil().clamp(1, max(shape)).long()
    inside = ((centres.detach() + reach > -0.5) & (centres.detach() - reach < centres.new_tensor(shape) - 0.5)).all(-1)
    total = centres.new_zeros(shape) + 0 * heights.sum()  # with no Gaussian inside it still has a gradient
    for half in torch.unique(half_widths[inside]).tolist():
        members = torch.nonzero(inside & (half_widths == half)).squeeze(-1)
        chunk = max(1, WINDOW_SAMPLES // (2 * half + 1) ** dimensions)
        padded = [n + 2 * half for n in shape]
        image = centres.new_zeros(math.prod(padded))
        for some in members.split(chunk):
            values, index = _windows(centres[some], precision[some], heights[some], half, shape)
            image = image.index_add(0, index, values)
        inner = tuple(slice(half, half + n) for n in shape)
        total = total + image.view(padded)[inner]
    return total


def _windows(
    centres: torch.Tensor, precision: torch.Tensor, heights: torch.Tensor, half: int, shape: tuple[int, ...]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Values on windows of (2 half + 1)^k samples, and where each lies in the array with a margin of half; both flat.

    A window is anchored at the array's sample nearest to the centre: it still holds all of the Gaussian that falls on
    the array, however far outside its centre is.
    """
    dimensions = len(shape)
    offsets = torch.arange(-half, half + 1, device=centres.device)
    anchor = centres.detach().round().clamp(centres.new_zeros(dimensions), centres.new_tensor(shape) - 1)
    quadratic = centres.new_zeros(())
    index = torch.zeros((), dtype=torch.long, device=centres.device)
    along = []
    for axis in range(dimensions):
        view = [-1] + [1] * dimensions
        view[axis + 1] = len(offsets)
        along.append((offsets + (anchor - centres)[:, axis, None]).view(view))
        place = (anchor[:, axis].long() + half)[:, None] + offsets
        index = index * (shape[axis] + 2 * half) + place.view(view)
    term = 0
    for i in range(dimensions):
        for j in range(i, dimensions):
            weight = precision[:, term].view([-1] + [1] * dimensions) * (1 if i == j else 2)
            quadratic = quadratic + weight * along[i] * along[j]
            term += 1
    values = (torch.exp(-0.5 * quadratic) - FLOOR).clamp(min=0) * heights.view([-1] + [1] * dimensions)
    return values.flatten(), index.flatten()
