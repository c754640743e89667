"""Field of view: the circle that a scanner reconstructs, and the padding beyond its edge."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.ndimage as ndi

ARC_TOLERANCE = 0.75
"""Distance of the field of view's edge from an arc of a circle, in voxels, that 95 % of it keep."""

SHARP = 0.75
"""Least contrast of the first voxels inside the field of view to that of the next ones. A scanned edge has less."""

EDGE_VOXELS = 24
"""Fewest voxels of an edge from which an arc can be told."""


def outside_field_of_view(constant: np.ndarray, contrast: np.ndarray, spacing: Sequence[float]) -> np.ndarray | None:
    """The part of a plane that lies outside a scanner's field of view; None where there is none.

    Args:
        constant: bool (rows, columns), where all planes have one value, the padding's.
        contrast: by how much the planes differ from that value, summed over them, (rows, columns).
        spacing: of rows and columns, mm.
    """
    outside = from_border(constant)
    if not outside.any() or outside.all():
        return None
    first = ndi.binary_dilation(outside) & ~outside
    if np.count_nonzero(first) < EDGE_VOXELS or not _is_arc(first, outside, spacing):
        return None
    second = ndi.binary_dilation(first | outside) & ~first & ~outside
    if not second.any() or contrast[first].mean() < SHARP * contrast[second].mean():
        return None
    return outside


def _is_arc(edge: np.ndarray, outside: np.ndarray, spacing: Sequence[float]) -> bool:
    """Whether an edge is an arc about what is inside, by the circle of least squares (Kåsa, 1976)."""
    points = np.argwhere(edge) * np.asarray(spacing)
    middle = points.mean(0)
    y, x = (points - middle).T
    system = np.column_stack([y, x, np.ones(len(points))])
    solution, _, rank, _ = np.linalg.lstsq(system, y * y + x * x, rcond=None)
    if rank < 3:
        return False
    centre = solution[:2] / 2
    radius = float(np.sqrt(max(solution[2] + centre @ centre, 0)))
    distances = np.linalg.norm(np.argwhere(np.ones_like(edge)) * np.asarray(spacing) - middle - centre, axis=1)
    distances = distances.reshape(edge.shape)
    off = np.abs(distances[edge] - radius)
    voxel = float(np.max(spacing))
    # Padding lies beyond the arc, and the arc is no small hole.
    beyond = distances[outside] >= radius - voxel
    return bool(np.quantile(off, 0.95) <= ARC_TOLERANCE * voxel and beyond.all() and radius > 8 * voxel)


def from_border(plane: np.ndarray) -> np.ndarray:
    """The parts of a bool plane that touch its border."""
    labels, _ = ndi.label(plane)
    border = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    return np.isin(labels, border[border > 0])
