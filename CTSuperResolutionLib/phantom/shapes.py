"""Signed distances in mm (negative inside) to the shapes that anatomy is made of. Coordinates broadcast."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from CTSuperResolutionLib.phantom.slab import Box, Coordinates, Slab

FAR = 1.0e3  # mm, "not near this shape"


def ellipse(u: np.ndarray, v: np.ndarray, a: np.ndarray | float, b: np.ndarray | float) -> np.ndarray:
    """First-order distance g (g - 1) / |grad| to an ellipse with half axes a, b: exact on it, good near it."""
    u, v = u / a, v / b
    g = np.sqrt(u * u + v * v)
    u, v = u / a, v / b
    return g * (g - 1.0) / np.sqrt(u * u + v * v + 1e-12)


def ellipsoid(offsets: Coordinates, axes: Sequence[float]) -> np.ndarray:
    """First-order distance to an ellipsoid; `offsets` from its centre and half `axes` in the same order."""
    u, v, w = (offset / axis for offset, axis in zip(offsets, axes, strict=True))
    g = np.sqrt(u * u + v * v + w * w)
    u, v, w = (scaled / axis for scaled, axis in zip((u, v, w), axes, strict=True))
    return g * (g - 1.0) / np.sqrt(u * u + v * v + w * w + 1e-12)


def cone(at: Coordinates, start: Sequence[float], stop: Sequence[float], r0: float, r1: float) -> np.ndarray:
    """Rod with round ends from `start` to `stop` (x, y, z), its radius going from r0 to r1."""
    z, y, x = at
    ax, ay, az = (float(value) for value in start)
    bx, by, bz = (float(q) - float(p) for p, q in zip(start, stop, strict=True))
    t = (x - ax) * bx + (y - ay) * by + (z - az) * bz
    t = np.clip(t / max(bx * bx + by * by + bz * bz, 1e-9), 0.0, 1.0)
    dx, dy, dz = x - ax - t * bx, y - ay - t * by, z - az - t * bz
    return np.sqrt(dx * dx + dy * dy + dz * dz) - (r0 + t * (r1 - r0))


def tube(
    slab: Slab, points: Sequence[Sequence[float]], radii: Sequence[float], reach: float = 6.0
) -> tuple[Box, np.ndarray] | None:
    """A smooth tube through `points` (x, y, z) with `radii`: (box, distance in it), or None outside the slab.

    Distances are exact up to `reach` mm from the surface and FAR beyond.
    """
    path = catmull_rom(np.column_stack([points, radii]).astype(float))
    margin = path[:, 3].max() + reach
    box = slab.box(path[:, 2::-1].min(0) - margin, path[:, 2::-1].max(0) + margin)
    if box is None:
        return None
    distance = np.full([part.stop - part.start for part in box], FAR, dtype=np.float32)
    for first, last in itertools.pairwise(path):
        margin = max(first[3], last[3]) + reach
        ends = np.stack([first[2::-1], last[2::-1]])
        near = slab.box(ends.min(0) - margin, ends.max(0) + margin)
        near = near and intersection(near, box)
        if near:
            local = tuple(slice(n.start - b.start, n.stop - b.start) for n, b in zip(near, box, strict=True))
            piece = cone(slab.coordinates(near), first[:3], last[:3], first[3], last[3])
            np.minimum(distance[local], piece, out=distance[local])
    return box, distance


def intersection(one: Box, other: Box) -> Box | None:
    """Voxels in both boxes; None when there are none."""
    z, y, x = (slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(one, other, strict=True))
    return (z, y, x) if all(part.start < part.stop for part in (z, y, x)) else None


def catmull_rom(points: np.ndarray, steps: int = 4) -> np.ndarray:
    """A curve through `points` (n, k) with `steps` straight pieces between neighbours: ((n - 1) steps + 1, k)."""
    if len(points) == 2:
        return points
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    t = (np.arange(steps) / steps)[None, :, None]
    p0, p1, p2, p3 = (padded[k : len(padded) - 3 + k, None] for k in range(4))
    curve = p1 + t / 2 * ((p2 - p0) + t * ((2 * p0 - 5 * p1 + 4 * p2 - p3) + t * (3 * (p1 - p2) + p3 - p0)))
    return np.concatenate([curve.reshape(-1, points.shape[1]), points[-1:]])


def smooth_minimum(one: np.ndarray, other: np.ndarray, radius: float) -> np.ndarray:
    """Union of two shapes whose seam is rounded over about `radius` mm (polynomial blend)."""
    overlap = np.maximum(radius - np.abs(one - other), 0.0)
    return np.minimum(one, other) - overlap * overlap / (4.0 * radius)


def ramp(value: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below `low`, 1 above `high`, a smooth step between (3 t^2 - 2 t^3)."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)
