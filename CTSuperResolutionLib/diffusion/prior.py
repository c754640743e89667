"""The diffusion prior: a noise-predicting UNet over X-ray images and its noise schedule."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler, UNet2DModel

from CTSuperResolutionLib.job.errors import JobError

WEIGHTS = "diffusion_pytorch_model.safetensors"


@dataclass(frozen=True)
class Prior:
    """A denoising diffusion model of X-ray images scaled to [-1, 1].

    Attributes:
        network: predicts the noise of an image (n, 1, v, u) at integer steps (n,).
        alphas_cumprod: ᾱ_t, shape (T,), float32, falling from almost 1 to almost 0.
        sha256: of the weights file, for provenance.
    """

    network: UNet2DModel
    alphas_cumprod: torch.Tensor
    sha256: str

    @classmethod
    def load(cls, folder: Path, *, device: torch.device | str = "cpu") -> Prior:
        """Read a folder with a diffusers UNet2DModel (safetensors only) and its scheduler's configuration.

        Raises:
            JobError: the folder is not a prior, or its files are damaged.
        """
        folder = Path(folder)
        weights = folder / WEIGHTS
        for needed in (folder / "config.json", folder / "scheduler_config.json", weights):
            if not needed.is_file():
                raise JobError(
                    f"The prior {folder} has no {needed.name}; name a folder written by 'ctsr train-prior' "
                    "or a diffusers UNet2DModel with its scheduler's configuration."
                )
        try:
            network = UNet2DModel.from_pretrained(folder, use_safetensors=True, low_cpu_mem_usage=False)
            alphas = DDIMScheduler.from_pretrained(folder).alphas_cumprod
            digest = hashlib.sha256(weights.read_bytes()).hexdigest()
        except Exception as error:  # diffusers, safetensors and json each raise their own kinds
            raise JobError(
                f"The prior {folder} is damaged or not a diffusers UNet2DModel; download or train it again."
            ) from error
        if network.config.in_channels != 1 or network.config.out_channels != 1:
            raise JobError(f"The prior {folder} does not work on single-channel images; choose another one.")
        if not all(values.isfinite().all() for values in network.parameters()):
            raise JobError(f"The prior {folder} has weights that are not numbers; download or train it again.")
        network = network.to(device=device, dtype=torch.float32).eval().requires_grad_(False)
        return cls(network, alphas.to(device), digest)

    @property
    def multiple(self) -> int:
        """Image sides the network takes are multiples of this."""
        return 2 ** (len(self.network.config.block_out_channels) - 1)

    @torch.no_grad()
    def predict_noise(self, images: torch.Tensor, step: int) -> torch.Tensor:
        """ε_θ(x_t, t) of images (n, 1, v, u) of any size, at one diffusion step for all."""
        rows, columns = images.shape[-2:]
        pad = [-columns % self.multiple, -rows % self.multiple]
        padded = F.pad(images, (0, pad[0], 0, pad[1]), mode="replicate")
        steps = torch.full((len(images),), step, device=images.device)
        return self.network(padded, steps).sample[..., :rows, :columns]


def new_network(channels: tuple[int, ...] = (32, 64, 96, 128)) -> UNet2DModel:
    """A compact fully convolutional UNet: no attention, so any image size from 32 pixels up."""
    return UNet2DModel(
        in_channels=1,
        out_channels=1,
        layers_per_block=1,
        block_out_channels=channels,
        norm_num_groups=8,
        down_block_types=("DownBlock2D",) * len(channels),
        up_block_types=("UpBlock2D",) * len(channels),
        add_attention=False,
    )


def new_scheduler() -> DDIMScheduler:
    """The linear schedule of DDPM and of the paper's prior: β from 1e-4 to 0.02 over 1000 steps."""
    return DDIMScheduler(num_train_timesteps=1000, beta_start=1e-4, beta_end=0.02, beta_schedule="linear")


def save_prior(network: UNet2DModel, folder: Path, *, card: dict[str, object]) -> None:
    """Write weights (half precision), both configurations and ``training.json`` into a folder."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    half = UNet2DModel.from_config(network.config).to(torch.float16)
    half.load_state_dict(network.state_dict())
    half.save_pretrained(folder, safe_serialization=True)
    new_scheduler().save_config(folder)
    (folder / "training.json").write_text(json.dumps(card, indent=2) + "\n")
