"""Dead leaves in three dimensions: volumes of random opaque shapes over each other, of nothing but edges."""

from __future__ import annotations

import numpy as np
import scipy.ndimage as ndi

from CTSuperResolutionLib.volume.checks import AIR_HU

METAL_HU = 3071.0
# Materials of the leaves: share, lowest and highest HU.
MATERIALS = (
    (0.20, -1024, -700),  # air, lung
    (0.10, -700, -150),
    (0.10, -150, -50),  # fat
    (0.32, -20, 120),  # soft tissue
    (0.12, 120, 450),  # contrast agent
    (0.13, 400, 1500),  # bone
    (0.03, 1500, 3000),  # teeth, implants
)


def dead_leaves(shape: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    """A volume of leaves of all sizes, the small ones in front: (z, y, x), HU, float32.

    Images of opaque shapes whose sizes follow a power law have the statistics of natural ones (Lee, Mumford and Huang,
    2001), and networks trained on nothing else restore real images (Achddou et al., 2021). They belong to no patient
    and no anatomy. Ellipsoids, boxes and cylinders, some hollow, some long, some textured; then a scanner's own blur,
    and half of the time its noise.
    """
    volume = np.full(shape, rng.choice([-1000, -850, -100, 0, 50, 100]), np.float32)
    count = int(rng.integers(150, 450))
    radii = np.exp(rng.uniform(np.log(1.2), np.log(min(shape) / 3), count))
    radii *= np.where(rng.random(count) < 0.6, 0.5, 1.0)
    for radius in np.sort(radii)[::-1]:
        _paint(volume, radius, rng)
    volume = ndi.gaussian_filter(volume, rng.uniform(0.25, 0.8))
    if rng.random() < 0.5:
        grain = ndi.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), rng.uniform(0.4, 0.9))
        volume += grain * rng.uniform(5, 60)
    return volume.clip(AIR_HU, METAL_HU)


def _paint(volume: np.ndarray, radius: float, rng: np.random.Generator) -> None:
    centre = rng.uniform(0, volume.shape)
    axes = radius * np.exp(rng.normal(0, 0.45, 3))
    if rng.random() < 0.2:
        axes[rng.integers(3)] *= 4
    axes = axes.clip(0.7, max(volume.shape))
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    reach = 1.8 * np.linalg.norm(turn * axes, axis=1) + 1
    first = np.maximum(np.floor(centre - reach), 0).astype(int)
    last = np.minimum(np.ceil(centre + reach) + 1, volume.shape).astype(int)
    if (last <= first).any():
        return
    offsets = np.meshgrid(*map(np.arange, first, last), indexing="ij", copy=False)
    position = np.stack(offsets, -1).astype(np.float32) - centre.astype(np.float32)
    own = np.abs(position @ (turn / axes).astype(np.float32))
    kind = rng.random()
    if kind < 0.6:
        distance = np.linalg.norm(own, axis=-1)  # ellipsoid
    elif kind < 0.85:
        distance = own.max(-1)  # box
    else:
        distance = np.maximum(np.hypot(own[..., 0], own[..., 1]), own[..., 2])  # cylinder
    softness = rng.uniform(0.3, 1.0) / axes.min()
    cover = ((1 - distance) / softness + 0.5).clip(0, 1)
    if rng.random() < 0.3:
        cover *= ((distance - 1 + rng.uniform(0.1, 0.5)) / softness + 0.5).clip(0, 1)
    shares = np.array([share for share, _, _ in MATERIALS])
    _, low, high = MATERIALS[rng.choice(len(MATERIALS), p=shares / shares.sum())]
    value = np.float32(rng.uniform(low, high))
    if rng.random() < 0.25 and cover.size > 500:
        grain = ndi.gaussian_filter(rng.standard_normal(cover.shape, dtype=np.float32), rng.uniform(0.6, 3))
        value = value + 3 * rng.uniform(5, 150) * grain
    part = volume[tuple(map(slice, first, last))]
    part += cover * (value - part)
