"""The diffusion prior: a noise-predicting UNet over X-ray images and its noise schedule."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler, UNet2DModel

from CTSuperResolutionLib.diffusion.checkpoint_conversion import imported
from CTSuperResolutionLib.diffusion.networks.guided_diffusion import GuidedDiffusionUNet
from CTSuperResolutionLib.diffusion.networks.residual_denoiser import ResidualDenoiser
from CTSuperResolutionLib.diffusion.noise_schedule import new_scheduler
from CTSuperResolutionLib.diffusion.prior_folder import CARD, CONFIG, SCHEDULE, WEIGHTS, sha256_of
from CTSuperResolutionLib.errors import JobError

NETWORKS = {network.__name__: network for network in (ResidualDenoiser, UNet2DModel, GuidedDiffusionUNet)}


@dataclass(frozen=True)
class Prior:
    """A denoising diffusion model of X-ray images scaled to [-1, 1].

    Attributes:
        network: predicts the noise of an image (n, channels, v, u) at integer steps (n,); one channel or three.
        alphas_cumprod: ᾱ_t, shape (T,), float32, falling from almost 1 to almost 0.
        sha256: of the weights file, for provenance.
        factors: by how much rows and columns of the images were measured coarser than they are shown: set by
            :meth:`at`, and told to the shipped kind of network; others do not ask.
    """

    network: ResidualDenoiser | UNet2DModel
    alphas_cumprod: torch.Tensor
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
        folder = imported(place) if place.is_file() else place
        weights = folder / WEIGHTS
        for needed in (folder / CONFIG, folder / SCHEDULE, weights):
            if not needed.is_file():
                raise JobError(
                    f"The prior {place} has no {needed.name}; name a folder written by 'ctsr train-prior' "
                    "or a diffusers UNet2DModel with its scheduler's configuration."
                )
        try:
            kind = NETWORKS[json.loads((folder / CONFIG).read_text(encoding="utf-8"))["_class_name"]]
            network, loaded = kind.from_pretrained(
                folder,
                use_safetensors=True,
                low_cpu_mem_usage=False,
                torch_dtype=torch.float32,
                output_loading_info=True,
            )
            scheduler = DDIMScheduler.from_pretrained(folder)
            alphas = scheduler.alphas_cumprod
            digest = sha256_of(weights)
        except Exception as error:  # diffusers, safetensors and json each raise their own kinds
            raise JobError(
                f"The prior {place} is damaged or not one of {', '.join(NETWORKS)}; download or train it again."
            ) from error
        if loaded["missing_keys"] or loaded["unexpected_keys"]:  # diffusers goes on with whatever memory held
            raise JobError(
                f"The prior {place} has weights of another version of {kind.__name__}; download or train it again."
            )
        channels = _image_channels(network)
        if channels not in ((1, 1), (3, 3)):
            raise JobError(f"The prior {place} works neither on grey nor on colour images; choose another one.")
        if scheduler.config.prediction_type != "epsilon" or not (alphas > 0).all():
            raise JobError(
                f"The prior {place} does not predict noise at every step (prediction_type epsilon, no zero terminal "
                "SNR); choose another one."
            )
        if network.config.get("num_class_embeds") or network.config.get("class_embed_type"):
            raise JobError(f"The prior {place} has to be told a class of images; choose one without classes.")
        if not all(values.isfinite().all() for values in network.parameters()):
            raise JobError(f"The prior {place} has weights that are not numbers; download or train it again.")
        network = network.to(device).eval().requires_grad_(False)
        if isinstance(network, ResidualDenoiser):
            network = network.to(memory_format=torch.channels_last)  # a CPU convolves that way in 2/3 of the time
        return cls(network, alphas.to(device), digest)

    def at(self, factors: Sequence[float]) -> Prior:
        """The same prior for images whose rows and columns were measured that much coarser."""
        rows, columns = factors
        return replace(self, factors=(rows, columns))

    @property
    def multiple(self) -> int:
        """Image sides the network takes are multiples of this."""
        if isinstance(self.network, UNet2DModel):
            return 2 ** (len(self.network.config.block_out_channels) - 1)
        return self.network.multiple

    @torch.no_grad()
    def predict_noise(self, images: torch.Tensor, step: int) -> torch.Tensor:
        """ε_θ(x_t, t) of images (n, 1, v, u) of any size, at one diffusion step for all.

        A network of colour images sees the image in each channel; its three predictions are averaged.

        Raises:
            ValueError: the network asks for factors, and :meth:`at` was not called.
        """
        rows, columns = images.shape[-2:]
        pad = [-columns % self.multiple, -rows % self.multiple]
        padded = F.pad(images, (0, pad[0], 0, pad[1]), mode="replicate")
        steps = torch.full((len(images),), step, device=images.device)
        channels, _ = _image_channels(self.network)
        told = ()
        if isinstance(self.network, ResidualDenoiser):
            if self.factors is None:
                raise ValueError("this network has to be told how coarse the images were: prior.at((rows, columns))")
            told = (torch.tensor([self.factors], dtype=images.dtype, device=images.device).expand(len(images), -1),)
        predicted = self.network(padded.expand(-1, channels, -1, -1), steps, *told).sample
        return predicted.mean(1, keepdim=True)[..., :rows, :columns]


def _image_channels(network: ResidualDenoiser | UNet2DModel) -> tuple[int, int]:
    """Channels in and out."""
    return (network.config.in_channels, network.config.out_channels) if isinstance(network, UNet2DModel) else (1, 1)


def save_prior(network: ResidualDenoiser | UNet2DModel, folder: Path, *, card: dict[str, object]) -> None:
    """Write weights (half precision), both configurations and ``training.json`` into a folder."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    half = type(network).from_config(network.config)
    half.load_state_dict(network.state_dict())
    torch.nn.Module.half(half)  # diffusers' own conversion warns of layers that these networks do not have
    half.save_pretrained(folder, safe_serialization=True)
    new_scheduler().save_config(folder)
    (folder / CARD).write_text(json.dumps(card, indent=2) + "\n")
