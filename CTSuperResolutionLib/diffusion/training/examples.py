"""Training examples: an image as it should be, and the one that the sampler would start from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch

from CTSuperResolutionLib.diffusion.networks.image_acquisition import ImageAcquisition

REACH = 2  # neighbours of a slice on either side


class Example(NamedTuple):
    """One crop of an image.

    Attributes:
        start: blurred, sampled, brought back and made consistent, (v, u) float32 in [−1, 1].
        truth: the same crop as it was.
        spread: mean of (start − truth)² over the images this one was drawn from: what the loss is measured by.
        acquisition: how it was measured.
        neighbours: what the neighbours of the start have beyond it, (2 REACH, v, u); None where there are none.
    """

    start: np.ndarray
    truth: np.ndarray
    spread: float
    acquisition: ImageAcquisition
    neighbours: np.ndarray | None = None


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


class Stack(NamedTuple):
    """Examples of one size.

    Attributes:
        start, truth: (n, 1, v, u). acquisitions: (n, 7). neighbours: (n, 2 REACH, v, u), zero where there are none.
    """

    start: torch.Tensor
    truth: torch.Tensor
    acquisitions: torch.Tensor
    neighbours: torch.Tensor


def stacked(examples: Sequence[Example]) -> Stack:
    """Examples of one size as tensors, float32."""
    start, truth = (
        torch.from_numpy(np.stack(images))[:, None]
        for images in ([example.start for example in examples], [example.truth for example in examples])
    )
    acquisitions = torch.tensor([example.acquisition for example in examples], dtype=torch.float32)
    neighbours = torch.zeros(len(examples), 2 * REACH, *start.shape[2:])
    for shown, example in zip(neighbours, examples, strict=True):
        if example.neighbours is not None:
            shown[:] = torch.from_numpy(example.neighbours)
    return Stack(start, truth, acquisitions, neighbours)


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
    acquisition = example.acquisition
    turns, mirrored, upside_down = int(rng.integers(4)), rng.random() < 0.5, rng.random() < 0.5
    gain, offset = 1.0, 0.0
    if rng.random() < 0.5:
        gain = rng.uniform(0.5, 1.3) * (1 if rng.random() < 0.75 else -1)
        offset = rng.uniform(-0.3, 0.3) * max(0.0, 1 - abs(gain))

    def changed(images: np.ndarray, offset: float) -> np.ndarray:
        images = np.rot90(images, turns, axes=(-2, -1))
        images = images.swapaxes(-2, -1) if mirrored else images
        return np.ascontiguousarray(images * gain + offset, dtype=np.float32)

    if turns % 2 != mirrored:  # rows became columns
        acquisition = acquisition.turned()
    neighbours = None if example.neighbours is None else changed(example.neighbours[:: -1 if upside_down else 1], 0)
    return Example(
        changed(example.start, offset),
        changed(example.truth, offset),
        example.spread * gain**2,
        acquisition._replace(noise=acquisition.noise * abs(gain)),
        neighbours,
    )
