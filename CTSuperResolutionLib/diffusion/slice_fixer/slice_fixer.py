"""Slice fixer: a trained network with its files, which repairs the slices of a volume."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
import torch.nn.functional as F

from CTSuperResolutionLib.diffusion.prior_folder import CARD, CONFIG, WEIGHTS
from CTSuperResolutionLib.diffusion.slice_fixer.network import NEIGHBOURS, SliceFixerNetwork
from CTSuperResolutionLib.diffusion.slice_fixer.turbo_folder import is_turbo, load_turbo, save_turbo
from CTSuperResolutionLib.diffusion.slice_fixer.turbo_network import TurboNetwork
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.events import Progress

DENSEST = 2.0  # attenuation relative to water that becomes 1
RepairNetwork = SliceFixerNetwork | TurboNetwork
"""The two forms of a slice fixer: a small one of ours, and one on a text-to-image model."""


@dataclass(frozen=True, eq=False)
class SliceFixer:
    """A network that repairs slices in one step.

    Attributes:
        network: what repairs. sha256: of its weights. trained_on: names of CTs.
    """

    network: RepairNetwork
    sha256: str
    trained_on: tuple[str, ...] = ()

    @classmethod
    def load(cls, folder: Path, device: torch.device | str = "cpu", word: str | None = None) -> SliceFixer:
        """Read a folder that 'ctsr train-slice-fixer' wrote.

        Args:
            folder: of the fixer. device: for its network.
            word: that one on a text-to-image model is told; None for the one that it was trained with last.

        Raises:
            JobError: it is none, its files are damaged, or the base that it needs cannot be used.
        """
        for needed in (CONFIG, WEIGHTS):
            if not (folder / needed).is_file():
                raise JobError(f"The slice fixer {folder} has no {needed}; name a folder that was trained as one.")
        try:
            content = (folder / WEIGHTS).read_bytes()  # once: what is hashed is what is loaded
            state = safetensors.torch.load(content)
            entries = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
            network: Any
            if is_turbo(entries):
                network = load_turbo(folder, entries, state, word)
            else:
                network = SliceFixerNetwork.from_config(entries)
                network.load_state_dict(state)
            card = json.loads((folder / CARD).read_text()) if (folder / CARD).is_file() else {}
        except JobError:
            raise
        except Exception as error:  # diffusers, safetensors and json each raise their own kinds
            raise JobError(f"The slice fixer {folder} is damaged or of another version; train it again.") from error
        if not all(values.isfinite().all() for values in network.parameters()):
            raise JobError(f"The slice fixer {folder} has weights that are not numbers; train it again.")
        network = network.to(device).eval().requires_grad_(False)
        return cls(network, hashlib.sha256(content).hexdigest(), tuple(card.get("ct", ())))

    @property
    def provenance(self) -> dict[str, Any]:
        """What a result says of it, as plain values."""
        known: dict[str, Any] = {"sha256": self.sha256, "trained_on": list(self.trained_on)}
        if isinstance(self.network, TurboNetwork):
            config = self.network.config
            known |= {"base_sha256": dict(config.base_sha256), "body_part": config.word}
        return known

    @torch.no_grad()
    def repair(
        self, volume: torch.Tensor, missing: torch.Tensor, views: torch.Tensor, progress: Progress | None = None
    ) -> torch.Tensor:
        """The volume with every axial slice repaired, (z, y, x), attenuation relative to water.

        Args:
            volume: the same unit. missing: what the scan says beyond it, same shape and unit.
            views: (z, 2, rows, columns), what two projections show near each slice.
            progress: asked now and then whether to go on.
        """
        progress = progress or Progress()
        shown = shown_to_fixer(volume, missing)
        repaired = torch.empty_like(volume)
        for first in range(0, len(volume), self.network.at_once):
            part = slice(first, first + self.network.at_once)
            repaired[part] = DENSEST * apply(self.network, shown[part], views[part])[:, 0].clamp(0, 1)
            progress.check()
        # What is denser than the network knows is left as it was.
        return torch.where(volume > DENSEST, volume, repaired)


def shown_to_fixer(volume: torch.Tensor, missing: torch.Tensor) -> torch.Tensor:
    """What the network is shown of a volume (z, y, x), as :meth:`.SliceFixerNetwork.forward` takes it, (z, 6, y, x)."""
    parts = [(volume / DENSEST).clamp(0, 1), (missing / DENSEST).clamp(-1, 1)]
    return torch.cat([_with_neighbours(part) for part in parts], 1)


def _with_neighbours(volume: torch.Tensor) -> torch.Tensor:
    """Slices with those on either side as channels, (z, 3, y, x); the outermost ones are their own neighbours."""
    places = torch.arange(len(volume), device=volume.device)
    return torch.stack([volume[(places + k).clamp(0, len(volume) - 1)] for k in range(-NEIGHBOURS, NEIGHBOURS + 1)], 1)


def apply(network: RepairNetwork, slices: torch.Tensor, views: torch.Tensor) -> torch.Tensor:
    """The network on slices (n, 6, y, x) of any size: (n, 1, y, x)."""
    (rows, columns), multiple = slices.shape[-2:], network.multiple
    padded = F.pad(slices, (0, -columns % multiple, 0, -rows % multiple), mode="replicate")
    return network(padded, views)[..., :rows, :columns]


def save_slice_fixer(network: RepairNetwork, folder: Path, card: Mapping[str, Any]) -> None:
    """Write weights (of the small form in half precision), configuration and ``training.json`` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(network, TurboNetwork):
        save_turbo(network, folder)
    else:
        half: Any = SliceFixerNetwork.from_config(network.config)
        half.load_state_dict(network.state_dict())
        torch.nn.Module.half(half)  # diffusers' own conversion warns of layers that this network does not have
        half.save_pretrained(folder, safe_serialization=True)
    (folder / CARD).write_text(json.dumps(dict(card), indent=2) + "\n")
