"""Backbone: a representation of a volume that is fitted to its projections step by step, and can be guided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch

Guide = tuple[torch.Tensor, torch.Tensor]
"""An output of a backbone, attached to its parameters, and the gradient of a further loss to it."""


class Backbone(Protocol):
    """A neural representation, in attenuation relative to water."""

    def step(self, guides: Sequence[Guide] = ()) -> None:
        """One step of the fit to the views, with more of the loss in ``guides``."""

    def slab(self, start: int, stop: int) -> torch.Tensor:
        """Its slices from ``start`` to before ``stop``, (z, y, x), attached to its parameters."""

    def volume(self) -> torch.Tensor:
        """All of it at the voxel centres, (z, y, x), detached."""

    @property
    def report(self) -> dict[str, Any]:
        """What result.json says of it."""
