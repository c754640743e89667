"""NAF backbone (Zha et al. 2022): attenuation as a small network of a hash encoding, fitted ray by ray."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from CTSuperResolutionLib.projection.projector import Projector
from CTSuperResolutionLib.reconstruction.backbone import Guide
from CTSuperResolutionLib.reconstruction.hash_encoding import HashEncoding
from CTSuperResolutionLib.reconstruction.rays import ray_segments
from CTSuperResolutionLib.reconstruction.settings import Settings

LEVELS, HIDDEN = 8, 32
AT_ONCE = 1 << 18  # places looked up together where no gradient is kept
BETAS, EPSILON = (0.9, 0.99), 1e-15  # of Adam, as for hash encodings


class NafBackbone:
    """A field of attenuation, relative to water: places in the volume's box -> encoding -> perceptron -> softplus.

    A ray's integral is the mean over samples at random within equal parts of its way through the box, times its length.

    Args:
        projections: (views, v, u), mm of water. projector: volumes to views.
        settings: of the fit. iterations: of it. seed: of all that is drawn.
    """

    def __init__(
        self, projections: torch.Tensor, projector: Projector, settings: Settings, *, iterations: int, seed: int
    ) -> None:
        device = projections.device
        self._grid, self._geometry, self._projections = projector.grid, projector.geometry, projections
        self._settings, self._iterations, self._done = settings, iterations, 0
        self._generator = torch.Generator(device).manual_seed(seed)
        self._side = [n * s for n, s in reversed(self._grid.axes)]  # (x, y, z), mm
        self._longest = max(self._side)
        torch.manual_seed(seed)  # the weights that a layer starts with come from torch's own stream
        finest = max(self._grid.shape)
        encoding = HashEncoding(LEVELS, max(finest, 16), 2**settings.hash_bits)
        self._network = torch.nn.Sequential(
            encoding,
            torch.nn.Linear(encoding.width, HIDDEN),
            torch.nn.LeakyReLU(),
            torch.nn.Linear(HIDDEN, HIDDEN),
            torch.nn.LeakyReLU(),
            torch.nn.Linear(HIDDEN, 1),
        ).to(device)
        self._optimizer = torch.optim.Adam(
            self._network.parameters(), lr=settings.naf_rate, betas=BETAS, eps=EPSILON, fused=True
        )

    @property
    def report(self) -> dict[str, Any]:
        """What result.json says of it."""
        return {"network_parameters": sum(p.numel() for p in self._network.parameters())}

    @torch.enable_grad()
    def step(self, guides: Sequence[Guide] = ()) -> None:
        """One step of Adam on the squared error of random rays, as in :class:`.Backbone`."""
        # A hundredth at the end, exponentially: hash encodings jitter at a constant rate.
        self._optimizer.param_groups[0]["lr"] = self._settings.naf_rate * 0.01 ** (self._done / self._iterations)
        loss = self._ray_loss()
        torch.autograd.backward([loss, *(g[0] for g in guides)], [torch.ones_like(loss), *(g[1] for g in guides)])
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._done += 1

    def _ray_loss(self) -> torch.Tensor:
        rays, samples = self._settings.rays, max(self._grid.shape)
        device = self._projections.device
        view, row, column = (
            torch.randint(n, (rays,), generator=self._generator, device=device) for n in self._projections.shape
        )
        entry, along, length = ray_segments(self._geometry, self._grid, view, row, column)
        meets = length > 0
        entry, along, length = entry[meets], along[meets], length[meets]
        measured = self._projections[view, row, column][meets]
        random = torch.rand((len(length), samples), generator=self._generator, device=device)
        way = (torch.arange(samples, device=device) + random) / samples * length[:, None]
        places = entry[:, None] + way[..., None] * along[:, None]
        found = self._density(places.reshape(-1, 3)).view(way.shape).mean(1) * length
        # In lengths of the box: a loss of about one, whatever the unit.
        return ((found - measured) / self._longest).square().mean()

    def slab(self, start: int, stop: int) -> torch.Tensor:
        """Slices of it, attached, as in :class:`.Backbone`."""
        _, ny, nx = self._grid.shape
        with torch.enable_grad():
            return self._density(self._centres(start, stop)).view(stop - start, ny, nx)

    @torch.no_grad()
    def volume(self) -> torch.Tensor:
        """All of it, as in :class:`.Backbone`."""
        nz, ny, nx = self._grid.shape
        volume = self._projections.new_empty(self._grid.shape)
        step = max(1, AT_ONCE // (ny * nx))
        for start in range(0, nz, step):
            stop = min(start + step, nz)
            volume[start:stop] = self._density(self._centres(start, stop)).view(stop - start, ny, nx)
        return volume

    def _density(self, places: torch.Tensor) -> torch.Tensor:
        """Attenuation at places (n, 3) as (x, y, z) mm from the middle, (n,)."""
        side = places.new_tensor(self._side)
        return torch.nn.functional.softplus(self._network((places / side + 0.5).clamp(0, 1))[:, 0])

    def _centres(self, start: int, stop: int) -> torch.Tensor:
        axes = [(torch.arange(n, device=self._projections.device) - (n - 1) / 2) * s for n, s in self._grid.axes]
        z, y, x = torch.meshgrid(axes[0][start:stop], axes[1], axes[2], indexing="ij")
        return torch.stack([x, y, z], -1).reshape(-1, 3).to(self._projections.dtype)
