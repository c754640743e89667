"""Training images for the prior: random crops of radiographs at several pixel sizes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from CTSuperResolutionLib.job.errors import JobError

SUFFIXES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp"}


class RadiographCrops:
    """Random square crops from folders of radiographs, each folder drawn equally often.

    A radiograph is not a line integral: a display curve of unknown gamma, contrast and brightness stands between
    them. Random gamma, gain and offset keep the prior from learning one curve, and a random pixel size keeps it from
    learning one scale.

    Args:
        folders: folders searched (recursively) for 8- or 16-bit grey images.
        crop: side of the square crops in pixels.
        validation_fraction: every ``round(1 / fraction)``-th file of a folder, by sorted name, is held out.
        validation: serve the held-out files instead of the others.

    Raises:
        JobError: a folder holds no readable image as large as the crop.
    """

    def __init__(
        self, folders: Sequence[Path], *, crop: int, validation_fraction: float = 0.05, validation: bool = False
    ) -> None:
        self.crop = crop
        stride = round(1 / validation_fraction)
        self._images: list[list[torch.Tensor]] = []
        for folder in folders:
            files = sorted(p for p in Path(folder).rglob("*") if p.suffix.lower() in SUFFIXES)
            kept = [f for i, f in enumerate(files) if (i % stride == 0) == validation]
            images = [image for f in kept if min((image := _read_grey(f)).shape) >= crop]
            if not images:
                raise JobError(
                    f"No image of at least {crop} x {crop} pixels was found in {folder}; "
                    "name a folder of PNG, JPEG, TIFF or BMP radiographs."
                )
            self._images.append(images)

    def __len__(self) -> int:
        return sum(len(images) for images in self._images)

    def batch(self, size: int, generator: torch.Generator) -> torch.Tensor:
        """Draw ``size`` augmented crops, shape (size, 1, crop, crop), in [-1, 1]."""
        return torch.stack([self._draw(generator) for _ in range(size)]) * 2 - 1

    def _draw(self, generator: torch.Generator) -> torch.Tensor:
        def uniform(low: float, high: float) -> float:
            return low + (high - low) * torch.rand((), generator=generator).item()

        images = self._images[int(uniform(0, len(self._images)))]
        image = images[int(uniform(0, len(images)))]
        rows, columns = image.shape
        # Between native pixels and three times coarser, as far as the image is large enough for a crop.
        coarsening = float(np.exp(uniform(0, np.log(min(3.0, min(rows, columns) / self.crop)))))
        side = min(round(self.crop * coarsening), rows, columns)
        top, left = int(uniform(0, rows - side + 1)), int(uniform(0, columns - side + 1))
        patch = image[top : top + side, left : left + side].float()[None, None] / 255
        if side != self.crop:
            patch = F.interpolate(
                patch, size=(self.crop, self.crop), mode="bilinear", antialias=True, align_corners=False
            )
        patch = patch[0].clamp(0, 1) ** float(np.exp(uniform(np.log(0.6), np.log(1.7))))
        gain = uniform(0.5, 1.0)
        patch = patch * gain + uniform(0, 1 - gain)
        return patch.flip(-1) if uniform(0, 1) < 0.5 else patch


def _read_grey(path: Path) -> torch.Tensor:
    """An image file as (rows, columns) uint8; an unreadable one as an empty tensor, so that it is passed over."""
    try:
        with Image.open(path) as image:
            if image.mode.startswith("I"):
                values = np.asarray(image, dtype=np.float64)
                values = 255 * (values - values.min()) / max(np.ptp(values), 1)
                return torch.from_numpy(values.astype(np.uint8))
            return torch.from_numpy(np.array(image.convert("L")))
    except OSError:
        return torch.empty(0, 0, dtype=torch.uint8)
