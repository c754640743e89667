"""View of figures: the part of a volume that they show."""

from __future__ import annotations

import numpy as np
import scipy.ndimage as ndi

from CTSuperResolutionLib.volume.intensity import to_unit
from CTSuperResolutionLib.volume.volume import Volume

SIDE = 96  # voxels along each axis, at most


def plane_shape(shape: tuple[int, int, int]) -> tuple[int, int]:
    """Voxels of that part along (z, x), for a volume of that shape (z, y, x)."""
    return min(SIDE, shape[0]), min(SIDE, shape[2])


def figure_plane(volume: Volume, reference: Volume) -> np.ndarray:
    """A part of the middle slice along y, HU, (z, x): where the reference on the same grid has the most edges."""
    middle = reference.shape[1] // 2
    edges = np.hypot(*np.gradient(to_unit(reference.array[:, middle])))
    sides = plane_shape(reference.shape)
    # Windows that lie inside, by their first voxel: a mean over them, where its centre can be.
    means = ndi.uniform_filter(edges, sides)
    inside = means[tuple(slice(k // 2, k // 2 + n - k + 1) for n, k in zip(edges.shape, sides, strict=True))]
    first = np.unravel_index(np.argmax(inside), inside.shape)
    return volume.array[:, middle][tuple(slice(a, a + k) for a, k in zip(first, sides, strict=True))]
