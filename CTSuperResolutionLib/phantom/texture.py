"""Random tissue texture that belongs to the body, not to the voxel grid."""

from __future__ import annotations

import numpy as np
import scipy.sparse

from CTSuperResolutionLib.phantom.slab import Box, Slab


class Texture:
    """A smooth random field of mean 0 and deviation 1 over space, with details of about `pitch` mm.

    White noise on a periodic lattice, interpolated by cubic B-splines and averaged over each voxel, so that the same
    body sampled on another grid has the same texture and coarse grids see less of it. On an axis-aligned grid all
    this is three products with sparse matrices (not BLAS, whose sums depend on the number of threads).

    Args:
        rng: source of the lattice.
        pitch: lattice spacing in mm, (z, y, x).
        cells: lattice size, (z, y, x); the field repeats after cells * pitch mm.
    """

    def __init__(
        self, rng: np.random.Generator, pitch: tuple[float, float, float], cells: tuple[int, int, int] = (96, 96, 96)
    ) -> None:
        self.pitch = pitch
        lattice = rng.standard_normal(cells, dtype=np.float32)
        # mean of sum(w^2) over positions between the knots of a cubic B-spline is 151/315 per axis
        self.lattice = lattice * np.float32((315.0 / 151.0) ** 1.5)

    def sample(self, slab: Slab, box: Box | None = None) -> np.ndarray:
        """The field in `box` of the slab, (z, y, x) float32."""
        axes = slab.axes if box is None else [axis[part] for axis, part in zip(slab.axes, box, strict=True)]
        z, y, x = (
            _weights(axis, slab.spacing, pitch, cells)
            for axis, pitch, cells in zip(axes, self.pitch, self.lattice.shape, strict=True)
        )
        _, cy, cx = self.lattice.shape
        field = (x @ self.lattice.reshape(-1, cx).T).T  # (cz cy, nx)
        field = z @ field.reshape(-1, cy * x.shape[0])  # (nz, cy nx)
        return np.stack([y @ plane for plane in field.reshape(z.shape[0], cy, -1)])


def _weights(at: np.ndarray, width: float, pitch: float, cells: int) -> scipy.sparse.csr_matrix:
    """(len(at), cells) float32: cubic B-spline weights of a periodic lattice, averaged over `width` mm around `at`."""
    count = max(1, int(np.ceil(2 * width / pitch)))
    within = ((np.arange(count) + 0.5) / count - 0.5) * width
    position = (at.astype(np.float64)[:, None] + within) / pitch
    knot = np.floor(position).astype(int)
    t = position - knot
    spline = ((1 - t) ** 3, 4 - 6 * t**2 + 3 * t**3, 1 + 3 * t + 3 * t**2 - 3 * t**3, t**3)
    columns = np.stack([(knot + shift) % cells for shift in (-1, 0, 1, 2)])
    rows = np.broadcast_to(np.arange(len(at))[:, None], columns.shape)
    values = np.stack(spline) / (6 * count)
    place = (rows.ravel(), columns.ravel())
    return scipy.sparse.csr_matrix((values.ravel().astype(np.float32), place), shape=(len(at), cells))
