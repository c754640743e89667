"""Size of a lesion as it is measured: its extent at half its height above what it lies in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.ndimage as ndi

from CTSuperResolutionLib.audit.lesions import Lesion

STEP_MM = 0.5  # to which a lesion's surroundings are interpolated before its voxels are counted
AROUND_MM = 4.0  # beyond the lesion's own radius: what is looked at


def measured_diameter(array: np.ndarray, site: Sequence[int], lesion: Lesion, spacing: Sequence[float]) -> float | None:
    """Diameter in mm of the ball, or of the rod's section, as large as what a lesion shows at half its height.

    Its height is the median within half its radius of the site, above the median of its surroundings: the brightest
    voxel would be that of the noise. None where what is connected and more than half as high reaches the end of what is
    looked at: it runs into something.

    Args:
        array: HU, (z, y, x). site: where the lesion's middle is, in voxels. spacing: mm, (z, y, x).
    """
    reach = lesion.diameter / 2 + AROUND_MM
    halves = [int(np.ceil(reach / d)) for d in spacing]
    box = tuple(slice(int(at) - half, int(at) + half + 1) for at, half in zip(site, halves, strict=True))
    if lesion.kind == "vessel":
        box = (box[0], slice(int(site[1]), int(site[1]) + 1), box[2])
    fine, offsets, cell = _interpolated(array[box].astype(np.float64), spacing)
    distance = np.sqrt(sum(along**2 for along in np.meshgrid(*offsets, indexing="ij", sparse=True)))
    middle = distance <= max(lesion.diameter / 4, STEP_MM)
    around = float(np.median(fine[distance > lesion.diameter / 2 + AROUND_MM / 2]))
    brightest = np.unravel_index(np.where(middle, fine, -np.inf).argmax(), fine.shape)
    labels, _ = ndi.label(fine > (around + float(np.median(fine[middle]))) / 2)
    own = labels == labels[brightest]
    if not labels[brightest] or _touches_the_end(own):
        return None
    size = np.count_nonzero(own) * cell
    return float(2 * np.sqrt(size / np.pi) if lesion.kind == "vessel" else np.cbrt(6 * size / np.pi))


def _interpolated(part: np.ndarray, spacing: Sequence[float]) -> tuple[np.ndarray, list[np.ndarray], float]:
    """A box at about STEP_MM, where its samples lie along each axis in mm from the middle, and mm³ of one (or mm²)."""
    lengths = [(n - 1) * d for n, d in zip(part.shape, spacing, strict=True)]
    counts = [round(length / STEP_MM) + 1 for length in lengths]
    at = [np.linspace(0, n - 1, count) for n, count in zip(part.shape, counts, strict=True)]
    fine = ndi.map_coordinates(part, np.meshgrid(*at, indexing="ij"), order=1)
    offsets = [np.linspace(-length / 2, length / 2, count) for length, count in zip(lengths, counts, strict=True)]
    cell = float(np.prod([length / (count - 1) for length, count in zip(lengths, counts, strict=True) if count > 1]))
    return fine, offsets, cell


def _touches_the_end(region: np.ndarray) -> bool:
    """Whether a region lies at a face of its box, along the axes that have several samples."""
    axes = [axis for axis, n in enumerate(region.shape) if n > 1]
    return any(region.take(end, axis).any() for axis in axes for end in (0, -1))
