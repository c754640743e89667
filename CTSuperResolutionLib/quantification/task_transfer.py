"""Task transfer function (TTF): how much of an edge of some contrast comes through at each frequency, from a rod.

The radial edge spread function of a disc whose centre is found from the disc itself, its derivative, and the Fourier
transform of that (Richard et al., Med Phys 39:4115, 2012; AAPM TG-233, 2019). It is that of the rod's own contrast:
under iterative or learned reconstruction another contrast has another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal.windows import tukey

BIN = 0.1  # of a pixel: width of a bin of the edge spread function
REACH = 0.8  # of the disc's radius, on either side of its edge, that is looked at
TAPER = 0.4  # share of that in which the line spread function is faded out
FEWEST_PIXELS = 4.0  # of a radius; a disc of few pixels has no edge spread function
CENTRING = 3  # times the centre is found anew, by what is seen around the last one


@dataclass(frozen=True, eq=False)
class TaskTransfer:
    """Task transfer function of one disc.

    Attributes:
        contrast: of the disc against its surroundings, HU.
        centre: of the disc, in pixels (row, column).
        frequencies: cycles per mm. values: at these, 1 at frequency 0.
    """

    contrast: float
    centre: tuple[float, float]
    frequencies: np.ndarray
    values: np.ndarray

    def frequency_at(self, value: float) -> float | None:
        """The first frequency at which so much is left, cycles per mm, such as f50 for 0.5; None where none is."""
        below = np.flatnonzero(self.values < value)
        if not below.size or not below[0]:
            return None
        last, first = below[0] - 1, below[0]
        part = (self.values[last] - value) / (self.values[last] - self.values[first])
        return float(self.frequencies[last] + part * (self.frequencies[first] - self.frequencies[last]))


def task_transfer(
    image: np.ndarray, centre: Sequence[float], radius: float, spacing: Sequence[float]
) -> TaskTransfer | None:
    """Task transfer function of a disc in a slice.

    Args:
        image: HU, (rows, columns). centre: about, in pixels (row, column), within half a radius.
        radius: of the disc, mm. spacing: mm between (rows, columns).

    Returns:
        None where the disc and its surroundings are not all in the image, have no contrast, or hold too few pixels.
    """
    rows, columns = (np.arange(n) * d for n, d in zip(image.shape, spacing, strict=True))
    middle = [at * d for at, d in zip(centre, spacing, strict=True)]
    outer = (1 + REACH) * radius
    if radius < FEWEST_PIXELS * max(spacing):
        return None
    contrast = 0.0
    for _ in range(CENTRING):
        if any(at < outer or at > axis[-1] - outer for at, axis in zip(middle, (rows, columns), strict=True)):
            return None
        distance = np.hypot(rows[:, None] - middle[0], columns - middle[1])
        inside = float(image[distance < 0.5 * radius].mean())
        around = float(image[(distance > 1.4 * radius) & (distance < outer)].mean())
        contrast = inside - around
        if contrast == 0:
            return None
        weight = np.clip((image - around) / contrast, 0, 1) * (distance < 1.3 * radius)
        weight[weight < 0.3] = 0  # noise around the disc does not pull
        total = weight.sum()
        middle = [float((weight.sum(axis=1) * rows).sum() / total), float((weight.sum(axis=0) * columns).sum() / total)]
    distance = np.hypot(rows[:, None] - middle[0], columns - middle[1])
    step = BIN * max(spacing)
    edge = _edge_spread(image, distance - radius, REACH * radius, step)
    line = -np.diff(edge) * tukey(len(edge) - 1, TAPER)
    spectrum = np.abs(np.fft.rfft(line, 8 * len(line)))
    frequencies = np.fft.rfftfreq(8 * len(line), step)
    seen = frequencies <= 0.5 / min(spacing)
    # A bin is a mean over its width, and so is a difference of neighbours.
    values = spectrum[seen] / spectrum[0] / np.sinc(frequencies[seen] * step) ** 2
    place = (middle[0] / spacing[0], middle[1] / spacing[1])
    return TaskTransfer(contrast, place, frequencies[seen], values)


def _edge_spread(image: np.ndarray, beyond: np.ndarray, reach: float, step: float) -> np.ndarray:
    """Means of an image by distance from an edge, mm, from −reach to reach; empty bins are interpolated."""
    count = int(2 * reach / step)
    index = np.floor((beyond + reach) / step).astype(int)
    near = (index >= 0) & (index < count)
    pixels = np.bincount(index[near], minlength=count)
    sums = np.bincount(index[near], weights=image[near].astype(np.float64), minlength=count)
    filled = np.flatnonzero(pixels)
    return np.interp(np.arange(count), filled, sums[filled] / pixels[filled])
