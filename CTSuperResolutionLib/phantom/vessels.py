"""Pulmonary arteries, veins and bronchi: grown through the lungs once, painted slab by slab."""

from __future__ import annotations

import numpy as np

from CTSuperResolutionLib.phantom.slab import AIR, Slab
from CTSuperResolutionLib.phantom.tree import Tree, grow

BLOOD, WALL = 45.0, 15.0  # HU
TIPS = 4000  # per tree and lung
ROOTS = {  # (x, y, z) mm where each tree enters its lung
    "artery": {-1: (-31.0, 4.0, 0.0), 1: (34.0, 7.0, 6.0)},
    "vein": {-1: (-31.0, 1.0, -7.0), 1: (35.0, 3.0, -6.0)},
}
BEHIND = np.array([0.0, 0.75, 0.66])  # the side of an artery on which its bronchus runs


class Vasculature:
    """All branches of both lungs as tapered rods.

    Args:
        rng: makes the trees.
        places: points spread evenly through both lungs, (n, 3) as (x, y, z) mm.
    """

    def __init__(self, rng: np.random.Generator, places: np.ndarray) -> None:
        vessels, walls, lumens = [], [], []
        for side in (-1, 1):
            own = places[places[:, 0] * side > 0]
            for kind in ("artery", "vein"):
                targets = own[rng.choice(len(own), min(TIPS, len(own)), replace=False)]
                tree = grow(np.array(ROOTS[kind][side]), targets, rng, tip_radius=0.34, exponent=3.1)
                vessels.append(_rods(tree, tree.start_radius, tree.radius, rng))
                if kind == "artery":
                    outer, lumen = _bronchi(tree, rng)
                    walls.append(outer)
                    lumens.append(lumen)
        self.vessels, self.walls, self.lumens = (np.concatenate(rods) for rods in (vessels, walls, lumens))

    def paint(self, slab: Slab, cavity: np.ndarray) -> None:
        """Vessels, then bronchi; `cavity` (z, y, x) in [0, 1] is where they may be."""
        for rods, value in ((self.vessels, BLOOD), (self.walls, WALL), (self.lumens, AIR)):
            slab.blend(rod_occupancy(slab, rods) * cavity, value)


def _bronchi(arteries: Tree, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rods of the outer surfaces and of the lumens, beside the arteries, as far as lumens have 0.7 mm radius."""
    lumen = np.minimum(0.8 * arteries.radius, 4.0)
    wall = 0.3 + 0.12 * lumen
    beside = arteries.shifted_beside(arteries.radius + lumen + wall + 0.2, BEHIND)
    wide = lumen > 0.7
    state = rng.bit_generator.state  # the same bends for both surfaces
    outer = _rods(beside, arteries.start_radius * 0.8 + wall, lumen + wall, rng, wide)
    rng.bit_generator.state = state
    inner = _rods(beside, np.minimum(arteries.start_radius * 0.8, 4.2), lumen, rng, wide)
    return outer, inner


def _rods(
    tree: Tree, r0: np.ndarray, r1: np.ndarray, rng: np.random.Generator, keep: np.ndarray | None = None
) -> np.ndarray:
    """(n, 8) rows of start (x, y, z), stop (x, y, z), both radii; every branch is bent a little at its middle."""
    length = np.linalg.norm(tree.stop - tree.start, axis=1, keepdims=True)
    middle = (tree.start + tree.stop) / 2 + 0.06 * length * rng.standard_normal(tree.start.shape)
    rm = (r0 + r1) / 2
    halves = (np.column_stack([tree.start, middle, r0, rm]), np.column_stack([middle, tree.stop, rm, r1]))
    return np.concatenate([half if keep is None else half[keep] for half in halves])


def rod_occupancy(slab: Slab, rods: np.ndarray) -> np.ndarray:
    """Share of each voxel that the rods fill, (z, y, x) in [0, 1].

    A profile that falls from 1 to 0 over one voxel h around the radius R has the area pi (R^2 + h^2 / 12). So a rod
    of radius r is drawn with R^2 = r^2 - h^2 / 12, and one too thin for that with R = h / 2 and a peak below 1: the
    area is pi r^2 however thin it is.

    Args:
        slab: the grid.
        rods: (n, 8) rows of start (x, y, z), stop (x, y, z) in mm and the radii at both ends.
    """
    share = np.zeros(slab.shape, dtype=np.float32)
    h = slab.spacing
    low, high = slab.axes[0][0] - h, slab.axes[0][-1] + h
    reach = rods[:, 6:].max(axis=1) + h
    near = (np.minimum(rods[:, 2], rods[:, 5]) - reach < high) & (np.maximum(rods[:, 2], rods[:, 5]) + reach > low)
    rods = _cut(rods[near], 4.0 * h)
    first = np.array([axis[0] for axis in slab.axes])
    reach = np.maximum(rods[:, 6:].max(axis=1), h / 2) + h
    lowest = np.minimum(rods[:, 2::-1], rods[:, 5:2:-1]) - reach[:, None]
    highest = np.maximum(rods[:, 2::-1], rods[:, 5:2:-1]) + reach[:, None]
    corner = np.ceil((lowest - first) / h).astype(int)  # (z, y, x) of the first voxel of each rod's box
    size = np.floor((highest - first) / h).astype(int) - corner + 1
    inside = np.all((corner < slab.shape) & (corner + size > 0), axis=1)
    rods, corner, size = rods[inside], corner[inside], size[inside].max(axis=1)
    for side in np.unique(size):
        members = np.nonzero(size == side)[0]
        batch = max(1, 400_000 // int(side) ** 3)
        for k in range(0, len(members), batch):
            part = members[k : k + batch]
            _draw(share, slab, rods[part], corner[part], int(side))
    return share


def _cut(rods: np.ndarray, longest: float) -> np.ndarray:
    """The same rods in pieces of at most `longest` mm (or two radii)."""
    length = np.linalg.norm(rods[:, 3:6] - rods[:, :3], axis=1)
    count = np.maximum(np.ceil(length / np.maximum(longest, rods[:, 6])), 1).astype(int)
    index = np.repeat(np.arange(len(rods)), count)
    order = np.arange(len(index)) - np.repeat(np.cumsum(count) - count, count)
    t0, t1 = (order / count[index])[:, None], ((order + 1) / count[index])[:, None]
    whole = rods[index]
    start, way = whole[:, :3], whole[:, 3:6] - whole[:, :3]
    radius, change = whole[:, 6:7], whole[:, 7:8] - whole[:, 6:7]
    return np.column_stack([start + t0 * way, start + t1 * way, radius + t0 * change, radius + t1 * change])


def _draw(share: np.ndarray, slab: Slab, rods: np.ndarray, corner: np.ndarray, side: int) -> None:
    """Draw rods whose boxes are `side` voxels wide from their `corner` (z, y, x)."""
    h = np.float32(slab.spacing)
    index = [corner[:, axis, None] + np.arange(side) for axis in range(3)]  # (n, side) each
    where = [np.float32(axis[0]) + h * i.astype(np.float32) for axis, i in zip(slab.axes, index, strict=True)]
    views = (
        (slice(None), slice(None), None, None),
        (slice(None), None, slice(None), None),
        (slice(None), None, None, slice(None)),
    )
    rods = rods.astype(np.float32)
    way = (rods[:, 3:6] - rods[:, :3])[:, ::-1]
    length2 = np.maximum(np.sum(way * way, axis=1), 1e-9)[:, None, None, None]
    d = [(w - rods[:, 2 - axis, None])[views[axis]] for axis, w in enumerate(where)]
    step = [way[:, axis, None, None, None] for axis in range(3)]
    t = np.clip((d[0] * step[0] + d[1] * step[1] + d[2] * step[2]) / length2, 0.0, 1.0)
    distance2 = (d[0] - t * step[0]) ** 2 + (d[1] - t * step[1]) ** 2 + (d[2] - t * step[2]) ** 2
    radius = rods[:, 6, None, None, None] + t * (rods[:, 7] - rods[:, 6])[:, None, None, None]
    drawn = np.sqrt(np.maximum(radius**2 - h**2 / 12, h**2 / 4))
    value = np.clip(0.5 + (drawn - np.sqrt(distance2)) / h, 0.0, 1.0) * np.minimum(3 * radius**2 / h**2, 1.0)
    valid = [(i >= 0) & (i < n) for i, n in zip(index, share.shape, strict=True)]
    keep = (value > 0) & valid[0][views[0]] & valid[1][views[1]] & valid[2][views[2]]
    flat = (index[0][views[0]] * share.shape[1] + index[1][views[1]]) * share.shape[2] + index[2][views[2]]
    np.maximum.at(share.reshape(-1), flat[keep], value[keep])
