"""Orientations of a slice: turned and mirrored, the same tissue is another image to a network, which errs elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from CTSuperResolutionLib.diffusion.networks.image_acquisition import ImageAcquisition


@dataclass(frozen=True)
class Orientation:
    """One of the eight ways to lay a slice down: rows and columns mirrored, and then exchanged, or not.

    Attributes:
        mirrored: the axes that are mirrored, -2 for rows and -1 for columns.
        turned: whether rows and columns are exchanged.
    """

    mirrored: tuple[int, ...] = ()
    turned: bool = False

    def lay(self, images: torch.Tensor) -> torch.Tensor:
        """Images (…, rows, columns) in this orientation."""
        images = images.flip(self.mirrored) if self.mirrored else images
        return images.transpose(-2, -1) if self.turned else images

    def lift(self, images: torch.Tensor) -> torch.Tensor:
        """Images in this orientation as they were: the inverse of :meth:`lay`."""
        images = images.transpose(-2, -1) if self.turned else images
        return images.flip(self.mirrored) if self.mirrored else images

    def of(self, acquisition: ImageAcquisition) -> ImageAcquisition:
        """How images that lie in this orientation were acquired."""
        return acquisition.turned() if self.turned else acquisition


ORIENTATIONS = (
    Orientation(),
    Orientation((-2, -1), turned=True),
    Orientation((-2, -1)),
    Orientation(turned=True),
    Orientation((-2,)),
    Orientation((-1,), turned=True),
    Orientation((-1,)),
    Orientation((-2,), turned=True),
)
"""All eight, so that the first of them differ as much as they can: of any even number half are turned."""
