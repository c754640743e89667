"""Diffusion prior: a network that predicts the noise of X-ray images, and the noise schedule it was trained with."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler

from CTSuperResolutionLib.diffusion.checkpoint_conversion import converted_once
from CTSuperResolutionLib.diffusion.networks.denoiser import Denoiser
from CTSuperResolutionLib.diffusion.networks.guided_diffusion import GuidedDiffusionUNet
from CTSuperResolutionLib.diffusion.networks.residual_denoiser import ResidualDenoiser
from CTSuperResolutionLib.diffusion.networks.unet_denoiser import UNetDenoiser
from CTSuperResolutionLib.diffusion.noise_schedule import NoiseSchedule, linear_scheduler
from CTSuperResolutionLib.diffusion.prior_folder import CARD, CONFIG, SCHEDULE, WEIGHTS, sha256_of
from CTSuperResolutionLib.errors import JobError

# Networks that a prior may have, by the class name in its configuration, and what makes a denoiser of each.
NETWORKS: dict[str, tuple[type[Any], Callable[[Any], Denoiser]]] = {
    # A CPU convolves with the channels last in 2/3 of the time.
    "ResidualDenoiser": (ResidualDenoiser, lambda network: network.to(memory_format=torch.channels_last)),
    "UNet2DModel": (UNet2DModel, UNetDenoiser),
    "GuidedDiffusionUNet": (GuidedDiffusionUNet, UNetDenoiser),
}


@dataclass(frozen=True, eq=False)
class Prior:
    """A denoising diffusion model of X-ray images scaled to [−1, 1].

    Attributes:
        denoiser: predicts the noise of images.
        schedule: ᾱ_t of the steps.
        sha256: of the weights file, for provenance.
        factors: by how much rows and columns of the images were measured coarser than they are shown, told to the
            denoiser; set by :meth:`at`.
    """

    denoiser: Denoiser
    schedule: NoiseSchedule
    sha256: str
    factors: tuple[float, float] | None = None

    @classmethod
    def load(cls, place: Path, *, device: torch.device | str = "cpu") -> Prior:
        """Read a prior.

        Args:
            place: a folder with the configurations of a network of :data:`NETWORKS` and of its scheduler, and with
                weights as safetensors; or a guided-diffusion checkpoint, converted into the user's cache at first use.
            device: where the network is to work.

        Raises:
            JobError: not a prior, or its files are damaged.
        """
        place = Path(place)
        folder = converted_once(place) if place.is_file() else place
        for needed in (CONFIG, SCHEDULE, WEIGHTS):
            if not (folder / needed).is_file():
                raise JobError(
                    f"The prior {place} has no {needed}; name a folder written by 'ctsr train-prior' "
                    "or a diffusers UNet2DModel with its scheduler's configuration."
                )
        try:
            name = json.loads((folder / CONFIG).read_text(encoding="utf-8"))["_class_name"]
            kind, make_denoiser = NETWORKS[name]
            network, found = kind.from_pretrained(
                folder,
                use_safetensors=True,
                low_cpu_mem_usage=False,
                torch_dtype=torch.float32,
                output_loading_info=True,
            )
            scheduler = DDIMScheduler.from_pretrained(folder)
            digest = sha256_of(folder / WEIGHTS)
        except Exception as error:  # diffusers, safetensors and json each raise their own kinds
            raise JobError(
                f"The prior {place} is damaged or not one of {', '.join(NETWORKS)}; download or train it again."
            ) from error
        if found["missing_keys"] or found["unexpected_keys"]:  # diffusers goes on with whatever memory held
            raise JobError(f"The prior {place} has weights of another version of {name}; download or train it again.")
        if not all(values.isfinite().all() for values in network.parameters()):
            raise JobError(f"The prior {place} has weights that are not numbers; download or train it again.")
        network = network.to(device).eval().requires_grad_(False)
        try:
            return cls(make_denoiser(network), NoiseSchedule.of(scheduler), digest)
        except ValueError as error:
            raise JobError(f"The prior {place} {error}; choose another one.") from None

    def at(self, factors: Sequence[float]) -> Prior:
        """The same prior for images whose rows and columns were measured that much coarser."""
        rows, columns = factors
        return replace(self, factors=(rows, columns))

    @torch.no_grad()
    def predict_noise(self, images: torch.Tensor, step: int) -> torch.Tensor:
        """ε_θ(x_t, t) of images (n, 1, v, u) of any size in [−1, 1] units, at one diffusion step for all.

        Raises:
            ValueError: the network asks for factors, and :meth:`at` was not called.
        """
        (rows, columns), multiple = images.shape[-2:], self.denoiser.multiple
        padded = F.pad(images, (0, -columns % multiple, 0, -rows % multiple), mode="replicate")
        factors = None
        if self.factors is not None:
            factors = torch.tensor([self.factors], dtype=images.dtype, device=images.device).expand(len(images), -1)
        return self.denoiser.predict_noise(padded, step, factors)[..., :rows, :columns]


def save_prior(network: ResidualDenoiser | UNet2DModel, folder: Path, *, card: dict[str, object]) -> None:
    """Write weights (half precision), both configurations and ``training.json`` into a folder.

    The schedule is that of :func:`.linear_scheduler`.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    half: Any = type(network).from_config(network.config)
    half.load_state_dict(network.state_dict())
    torch.nn.Module.half(half)  # diffusers' own conversion warns of layers that these networks do not have
    half.save_pretrained(folder, safe_serialization=True)
    linear_scheduler().save_config(folder)
    (folder / CARD).write_text(json.dumps(card, indent=2) + "\n")
