"""The thorax phantom: anatomy painted slab by slab, with the scanner's blur and noise."""

from __future__ import annotations

import numpy as np
import scipy.ndimage as ndi

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.phantom.abdomen import paint_abdomen
from CTSuperResolutionLib.phantom.lungs import Nodules, lung_distance, paint_parenchyma
from CTSuperResolutionLib.phantom.mediastinum import column, organs_in, paint_mediastinum
from CTSuperResolutionLib.phantom.ribs import paint_front, paint_ribs, paint_shoulder_blades
from CTSuperResolutionLib.phantom.shapes import smooth_minimum
from CTSuperResolutionLib.phantom.skeleton import paint_spine, spine_column
from CTSuperResolutionLib.phantom.slab import Slab
from CTSuperResolutionLib.phantom.texture import Texture
from CTSuperResolutionLib.phantom.trunk import PLEURA, cage, diaphragm, paint_trunk
from CTSuperResolutionLib.phantom.vessels import Vasculature
from CTSuperResolutionLib.volume.volume import Volume

SLAB_VOXELS = 1_000_000  # of scratch at about 150 bytes each; half a second of work
BLUR = 0.42  # mm, sigma of the scanner's point spread: full width 1 mm at half maximum
GRAIN = 0.55  # mm, sigma of the noise's correlation in the plane


class Thorax:
    """Everything random about one patient: textures, vessels and nodules."""

    def __init__(self, seed: int) -> None:
        streams = [np.random.default_rng([seed, part]) for part in range(6)]
        self.coarse = Texture(streams[0], (13.0, 13.0, 13.0), (32, 32, 32))
        self.medium = Texture(streams[1], (3.6, 3.6, 3.6), (80, 64, 72))
        self.fine = Texture(streams[2], (1.25, 1.25, 1.25))
        self.trabeculae = Texture(streams[3], (1.9, 1.35, 1.35))
        places = _places_in_lungs(streams[4])
        self.vessels = Vasculature(streams[4], places)
        self.nodules = Nodules(streams[5], places)

    def paint(self, slab: Slab) -> None:
        """All tissues, from the skin inwards and from soft to hard."""
        at = slab.coordinates()
        ribs, above = cage(at), diaphragm(at)
        organs = organs_in(slab)
        lungs = lung_distance(ribs, smooth_minimum(column(slab, organs), spine_column(slab), 4.0), above)
        paint_trunk(slab, ribs, self.coarse, self.medium)
        paint_abdomen(slab, above, ribs, self.medium)
        paint_parenchyma(slab, lungs, self.fine, self.medium, self.coarse)
        self.nodules.paint(slab, self.medium)
        self.vessels.paint(slab, slab.occupancy(np.maximum(ribs + PLEURA, 1.0 - above)))
        paint_mediastinum(slab, organs, self.medium, self.coarse)
        paint_spine(slab, self.trabeculae, self.medium)
        paint_ribs(slab, ribs, self.trabeculae)
        paint_front(slab, self.trabeculae)
        paint_shoulder_blades(slab, ribs, self.trabeculae)


def thorax(
    *,
    shape: tuple[int, int, int] = (128, 192, 192),
    spacing: float = 1.0,
    seed: int = 0,
    noise_hu: float = 12.0,
    progress: Progress | None = None,
) -> Volume:
    """CT of a made-up slender adolescent's chest, from lung tops to liver.

    The anatomy is fixed in millimetres around the centre of the volume: the trunk is about 204 mm wide and 160 mm
    deep, so the default box of 128 x 192 x 192 mm holds all but its sides, a smaller box is a crop of its middle and
    a larger one has air around it (64 x 64 x 64 at 3.5 mm shows all of it). There are features of every size, from
    the trunk down to vessels of 0.3 mm radius and bone struts of half a millimetre; what a voxel cannot show is
    averaged into it. Organs stay where they are for every seed; vessels, nodules, textures and noise change.

    >>> chest = thorax(shape=(12, 16, 20), spacing=10.0, seed=1)
    >>> chest.shape, chest.spacing, chest.origin
    ((12, 16, 20), (10.0, 10.0, 10.0), (-95.0, -75.0, -55.0))
    >>> bool(chest.array.min() < -900 and chest.array.max() > 200)  # air and bone
    True

    Args:
        shape: voxels (z, y, x).
        spacing: side of the cubic voxels, mm.
        seed: same seed, same volume, bit for bit on one machine.
        noise_hu: standard deviation of the noise, HU.
        progress: asked before every slab whether to go on.

    Returns:
        Volume of whole HU (float32) in axes aligned with LPS, z to the head, origin at minus half its size.

    Raises:
        JobError: a shape, spacing, seed or noise that makes no volume.
        Cancelled: `progress` was asked to stop.
    """
    if len(shape) != 3 or min(shape) < 1 or not spacing > 0 or not noise_hu >= 0 or seed < 0:
        raise JobError(
            f"A phantom of shape {tuple(shape)}, spacing {spacing} mm, seed {seed} and noise {noise_hu} HU is not "
            "possible; give three positive sizes, a positive spacing, and a seed and noise of 0 or more."
        )
    progress = progress or Progress()
    body = Thorax(seed)
    z, y, x = ((np.arange(n) - (n - 1) / 2) * spacing for n in shape)
    hu = np.empty(shape, dtype=np.float32)
    sigma = BLUR / spacing
    halo = int(np.ceil(3 * sigma))
    thickness = max(1, SLAB_VOXELS // (shape[1] * shape[2]))
    for first in range(0, shape[0], thickness):
        progress.check()
        last = min(first + thickness, shape[0])
        slab = Slab((np.arange(first - halo, last + halo) - (shape[0] - 1) / 2) * spacing, y, x, spacing)
        body.paint(slab)
        blurred = ndi.gaussian_filter(slab.hu, sigma, mode="nearest", truncate=3.0)
        hu[first:last] = blurred[halo : halo + last - first]
        for index in range(first, last):
            hu[index] += noise_hu * _noise(seed, index, shape[1:], spacing)
    np.clip(np.rint(hu), -1024.0, 3071.0, out=hu)
    return Volume(
        array=hu,
        spacing=(float(spacing),) * 3,
        origin=(float(x[0]), float(y[0]), float(z[0])),
        direction=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
    )


def _noise(seed: int, index: int, shape: tuple[int, int], spacing: float) -> np.ndarray:
    """One slice of noise of deviation 1 with the middle frequencies of filtered back-projection strongest."""
    white = np.random.default_rng([seed, 6, index]).standard_normal(shape, dtype=np.float32)
    sigma = GRAIN / spacing
    if sigma < 0.2:
        return white
    mode = {"mode": "wrap", "truncate": 3.0}
    grain = ndi.gaussian_filter(white, 0.6 * sigma, **mode) - 0.8 * ndi.gaussian_filter(white, 1.6 * sigma, **mode)
    return grain / max(float(grain.std()), 1e-6)


def _places_in_lungs(rng: np.random.Generator, spacing: float = 3.0) -> np.ndarray:
    """Points spread evenly through the lungs, at least 4 mm under their surface, (n, 3) as (x, y, z) mm."""
    z, y, x = (np.arange(-half, half, spacing) for half in (130.0, 80.0, 95.0))
    slab = Slab(z, y, x, spacing)
    at = slab.coordinates()
    between = smooth_minimum(column(slab, organs_in(slab)), spine_column(slab), 4.0)
    inside = np.argwhere(lung_distance(cage(at), between, diaphragm(at)) < -4.0)
    points = np.column_stack([axis[i] for axis, i in zip((x, y, z), inside.T[::-1], strict=True)])
    return points + rng.uniform(-spacing / 2, spacing / 2, points.shape)
