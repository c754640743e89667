"""Radiographs as training examples: random crops at several pixel sizes, degraded as a detector would."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from CTSuperResolutionLib.degradation.operator import make_degradation
from CTSuperResolutionLib.degradation.upsampling import upsample
from CTSuperResolutionLib.diffusion.networks.image_acquisition import ImageAcquisition
from CTSuperResolutionLib.diffusion.training.examples import Example
from CTSuperResolutionLib.errors import JobError

SUFFIXES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp"}
COARSEST = 3.0  # an image is shrunk up to this much
MARGIN = 8  # pixels degraded beside a crop, so that its border is not an image's
FACTORS = (2, 4, 4, 8)
SPREAD = 4e-4  # mean of (start − truth)² over crops at 4x, [−1, 1]: see Example


class Radiographs:
    """Random crops from one folder of radiographs.

    A radiograph is not a line integral: a display curve of unknown gamma, contrast and brightness stands between
    them, film or detector noise, and the shadow of a collimator. All are drawn at random, so that the prior learns
    none of them: an inverse display curve (a logit of random strength: films saturate at both ends), gamma, gain,
    straight collimator edges, pixel sizes up to three times coarser, and noise in what was measured.

    Args:
        folder: searched (recursively) for 8- or 16-bit grey images.
        smallest: shortest side in pixels of an image that is used.
        validation_fraction: every ``round(1 / fraction)``-th file, by sorted name, is held out.
        validation: serve the held-out files instead of the others.

    Raises:
        JobError: the folder holds no readable image as large as that for this purpose.
    """

    def __init__(
        self, folder: Path, *, smallest: int, validation_fraction: float = 0.05, validation: bool = False
    ) -> None:
        stride = round(1 / validation_fraction)
        files = sorted(p for p in Path(folder).rglob("*") if p.suffix.lower() in SUFFIXES)
        kept = [f for i, f in enumerate(files) if (i % stride == 0) == validation]
        self._images = [image for f in kept if min((image := _read_grey(f)).shape) >= smallest]
        if not self._images:
            raise JobError(
                f"Of the images in {folder}, of which one in {stride} is kept for validation, too few have "
                f"{smallest} x {smallest} pixels or more; name a folder with more PNG, JPEG, TIFF or BMP radiographs."
            )

    def __len__(self) -> int:
        return len(self._images)

    def draw(self, rng: np.random.Generator, crop: int) -> Example:
        """A random example of crop x crop pixels; an image smaller than that and its margins is enlarged."""
        factor = FACTORS[rng.integers(len(FACTORS))]
        side = -(-(crop + 2 * MARGIN) // factor) * factor
        truth = self._crop(rng, side)
        degradation = make_degradation(truth.shape, (factor, factor), blur=min(1.0, factor / 4))
        coarse = degradation.A(torch.from_numpy(truth))
        noise = 0.0
        if rng.random() < 1 / 3:
            noise = rng.uniform(0, 0.01)
            coarse += noise * torch.from_numpy(rng.standard_normal(coarse.shape, dtype=np.float32))
        start = degradation.enforce(upsample(coarse, (factor, factor)), coarse).clamp_(-1, 1).numpy()
        inside = (slice(MARGIN, MARGIN + crop),) * 2
        acquisition = ImageAcquisition.of_views(degradation, noise / 2)  # images in [−1, 1]
        return Example(start[inside], truth[inside], SPREAD, acquisition)

    def _crop(self, rng: np.random.Generator, side: int) -> np.ndarray:
        image = self._images[rng.integers(len(self._images))]
        rows, columns = image.shape
        coarsening = np.exp(rng.uniform(0, np.log(max(1.0, min(COARSEST, min(rows, columns) / side)))))
        size = min(round(side * coarsening), rows, columns)
        top, left = int(rng.integers(rows - size + 1)), int(rng.integers(columns - size + 1))
        patch = Image.fromarray(image[top : top + size, left : left + size])
        grey = np.asarray(patch.resize((side, side), Image.Resampling.BOX if size > side else Image.Resampling.BICUBIC))
        density = grey.astype(np.float32) / 255
        if rng.random() < 0.5:
            inner = density * 0.96 + 0.02
            density = _unit(np.log(inner / (1 - inner)) * rng.uniform(0.1, 0.25) + density * rng.uniform(0, 1))
        density = density ** np.float32(np.exp(rng.uniform(np.log(0.6), np.log(1.7))))
        gain = rng.uniform(0.5, 1.0)
        density = density * gain + rng.uniform(0, 1 - gain)
        if rng.random() < 0.1:
            density = _collimated(density, rng)
        return (2 * density - 1).astype(np.float32)


def _unit(values: np.ndarray) -> np.ndarray:
    return (values - values.min()) / max(np.ptp(values), 1e-6)


def _collimated(density: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Dark beyond a straight line."""
    angle, rows = rng.uniform(0, 2 * np.pi), np.arange(len(density)) - len(density) / 2
    across = rows[:, None] * np.sin(angle) + rows * np.cos(angle)
    lit = (across + rng.uniform(-0.3, 0.5) * len(density) + 0.5).clip(0, 1)
    return (density * lit).astype(np.float32)


def _read_grey(path: Path) -> np.ndarray:
    """An image file as (rows, columns) uint8; an unreadable one as an empty array, so that it is passed over."""
    try:
        with Image.open(path) as image:
            if image.mode.startswith("I"):
                values = np.asarray(image, dtype=np.float64)
                return (255 * _unit(values)).astype(np.uint8)
            return np.array(image.convert("L"))
    except Exception:  # Pillow's readers each raise their own kinds
        return np.empty((0, 0), np.uint8)
