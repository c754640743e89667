"""Noise streams: the sampler's random numbers, the same for a view with whichever others it is restored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch


class NoiseStreams:
    """Standard normal noise, one stream a view, drawn on the CPU so that every device sees the same.

    Args:
        seeds: of each stream. like: one image (v, u), whose shape, type and device the noise has.
    """

    def __init__(self, seeds: Sequence[tuple[int, ...]], like: torch.Tensor) -> None:
        self._generators = [np.random.default_rng(seed) for seed in seeds]
        self._like = like

    def draw(self) -> torch.Tensor:
        """The next (views, v, u) of every stream."""
        drawn = np.stack([g.standard_normal(self._like.shape, dtype=np.float32) for g in self._generators])
        return torch.from_numpy(drawn).to(self._like)
