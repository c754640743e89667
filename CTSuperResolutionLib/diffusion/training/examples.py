"""Training examples: an image as it should be, and the one that the sampler would start from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch


class Example(NamedTuple):
    """One crop of an image.

    Attributes:
        start: blurred, sampled, brought back and made consistent, (v, u) float32 in [−1, 1].
        truth: the same crop as it was.
        spread: mean of (start − truth)² over the images this one was drawn from: what the loss is measured by.
        factors: by how much rows and columns were coarser.
    """

    start: np.ndarray
    truth: np.ndarray
    spread: float
    factors: tuple[int, int]


class Source(Protocol):
    """A source that examples are drawn from."""

    def draw(self, rng: np.random.Generator, crop: int) -> Example:
        """A random example of crop x crop pixels."""


class Mixture:
    """Sources drawn at stated shares.

    Args:
        sources: pairs of a share, above 0, and a source; shares need not add up to 1.
    """

    def __init__(self, sources: Sequence[tuple[float, Source]]) -> None:
        shares = np.array([share for share, _ in sources], dtype=float)
        self._sources, self._shares = [source for _, source in sources], shares / shares.sum()

    def draw(self, rng: np.random.Generator, crop: int) -> Example:
        """A random example of crop x crop pixels, augmented: turned, and with a contrast of its own."""
        source = self._sources[rng.choice(len(self._sources), p=self._shares)]
        return _augmented(source.draw(rng, crop), rng)


def stacked(examples: Sequence[Example]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Starts and truths of examples of one size, (n, 1, v, u) each, and their factors, (n, 2)."""
    start, truth, _, factors = zip(*examples, strict=True)
    start, truth = (torch.from_numpy(np.stack(images))[:, None] for images in (start, truth))
    return start, truth, torch.tensor(factors, dtype=torch.float32)


def cut(images: Sequence[np.ndarray], rng: np.random.Generator, crop: int, grid: Sequence[int]) -> list[np.ndarray]:
    """The same random square of several images (v, u), mirrored where they are smaller than the crop.

    Args:
        images: of one shape.
        rng: draws the place.
        crop: side of the square.
        grid: the square's corner is a multiple of these, so that it shows the detector's pixels as a whole image does.
    """
    rows, columns = (max(0, crop - n) for n in images[0].shape)
    corner = [int(rng.integers((max(n, crop) - crop) // g + 1)) * g for n, g in zip(images[0].shape, grid, strict=True)]
    square = tuple(slice(first, first + crop) for first in corner)
    if rows or columns:
        images = [np.pad(image, ((0, rows), (0, columns)), mode="symmetric") for image in images]
    return [image[square].astype(np.float32) for image in images]


def _augmented(example: Example, rng: np.random.Generator) -> Example:
    """Turned at random, and half of the time with another gain and offset, now and then inverted."""
    start, truth, factors = example.start, example.truth, example.factors
    turns, mirrored = int(rng.integers(4)), rng.random() < 0.5
    start, truth = np.rot90(start, turns), np.rot90(truth, turns)
    if mirrored:
        start, truth = start.T, truth.T
    if turns % 2 != mirrored:  # rows became columns
        factors = factors[::-1]
    gain, offset = 1.0, 0.0
    if rng.random() < 0.5:
        gain = rng.uniform(0.5, 1.3) * (1 if rng.random() < 0.75 else -1)
        offset = rng.uniform(-0.3, 0.3) * max(0.0, 1 - abs(gain))
    start, truth = (np.ascontiguousarray(image * gain + offset, dtype=np.float32) for image in (start, truth))
    return Example(start, truth, example.spread * gain**2, factors)
