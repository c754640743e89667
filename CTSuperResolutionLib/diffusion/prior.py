"""Diffusion prior: a network that predicts the noise of X-ray images, and the noise schedule it was trained with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import safetensors.torch
import torch
import torch.nn.functional as F

from CTSuperResolutionLib.diffusion.networks.denoiser import Denoiser
from CTSuperResolutionLib.diffusion.networks.image_acquisition import ImageAcquisition
from CTSuperResolutionLib.diffusion.networks.kinds import NETWORKS
from CTSuperResolutionLib.diffusion.networks.residual_denoiser import ResidualDenoiser
from CTSuperResolutionLib.diffusion.noise_schedule import LINEAR, NoiseSchedule
from CTSuperResolutionLib.diffusion.prior_folder import CARD, CONFIG, FAMILIAR, SCHEDULE, WEIGHTS
from CTSuperResolutionLib.errors import JobError

ATTENTION_NAMES = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
"""Names of attention's weights before diffusers 0.14, and today."""

PROBE_PIXELS = 64
MOST_NOISE = 1e3
"""Noise that no network predicts unless its weights are wrong, in standard deviations."""


@dataclass(frozen=True, eq=False)
class Prior:
    """A denoising diffusion model of X-ray images scaled to [−1, 1].

    Attributes:
        denoiser: predicts the noise of images.
        schedule: ᾱ_t of the steps.
        sha256: of the weights file, for provenance.
        acquisition: how the images were measured, told to the denoiser; set by :meth:`at`.
        adaptation: what came of adapting it to a scan, as plain values; None where that was not tried.
    """

    denoiser: Denoiser
    schedule: NoiseSchedule
    sha256: str
    acquisition: ImageAcquisition | None = None
    adaptation: Mapping[str, object] | None = None

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
        folder = _converted(place) if place.is_file() else place
        _require_one_network(place, folder)
        try:
            config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
            kind = NETWORKS[name := config["_class_name"]]
            network = kind.make(config)
            content = (folder / WEIGHTS).read_bytes()  # once: what is hashed is what is loaded
            digest, weights = hashlib.sha256(content).hexdigest(), safetensors.torch.load(content)
            missing, unexpected = network.load_state_dict(_renamed(weights, network), strict=False)
            del content, weights
            schedule = json.loads((folder / SCHEDULE).read_text(encoding="utf-8"))
        except Exception as error:  # diffusers, safetensors and json each raise their own kinds
            raise JobError(
                f"The prior {place} is damaged or not one of {', '.join(NETWORKS)}; download or train it again."
            ) from error
        if missing or unexpected:
            raise JobError(f"The prior {place} has weights of another version of {name}; download or train it again.")
        if not all(values.isfinite().all() for values in network.parameters()):
            raise JobError(f"The prior {place} has weights that are not numbers; download or train it again.")
        network = network.to(device).eval().requires_grad_(False)
        try:
            prior = cls(kind.denoiser(network), NoiseSchedule.of(schedule), digest)
        except ValueError as error:
            raise JobError(f"The prior {place} {error}; choose another one.") from None
        if not prior._predicts_noise(device):
            raise JobError(f"The prior {place} predicts values beyond any noise; download or train it again.")
        return prior

    def at(self, acquisition: ImageAcquisition) -> Prior:
        """The same prior for images that were measured in that way."""
        return replace(self, acquisition=acquisition)

    @torch.no_grad()
    def predict_noise(self, images: torch.Tensor, step: int, neighbours: torch.Tensor | None = None) -> torch.Tensor:
        """ε_θ(x_t, t) of images (n, 1, v, u) of any size in [−1, 1] units, at one diffusion step for all.

        ``neighbours`` (n, 2 reach, v, u) are what each slice's neighbours have beyond it: see :class:`.Denoiser`.

        Raises:
            ValueError: the network asks for an acquisition, and :meth:`at` was not called.
            JobError: the network overflows.
        """
        (rows, columns), multiple = images.shape[-2:], self.denoiser.multiple
        margin = (0, -columns % multiple, 0, -rows % multiple)
        padded = F.pad(images, margin, mode="replicate")
        beside = None if neighbours is None else F.pad(neighbours, margin, mode="replicate")
        acquisitions = None
        if self.acquisition is not None:
            acquisitions = torch.tensor([self.acquisition], dtype=images.dtype, device=images.device)
            acquisitions = acquisitions.expand(len(images), -1)
        predicted = self.denoiser.predict_noise(padded, step, acquisitions, beside)[..., :rows, :columns]
        if not predicted.isfinite().all():
            raise JobError("The prior predicts values that are not numbers; download or train it again.")
        return predicted

    def _predicts_noise(self, device: torch.device | str) -> bool:
        """Whether what it predicts of a plain image is of the size of noise, which has a deviation of 1."""
        image = torch.linspace(-1, 1, PROBE_PIXELS**2, device=device).reshape(1, 1, PROBE_PIXELS, PROBE_PIXELS)
        try:
            prior = self.at(ImageAcquisition(1.0, 1.0))
            predicted = [prior.predict_noise(image, step) for step in (0, len(self.schedule) - 1)]
        except JobError:
            return False
        return all(float(values.abs().max()) < MOST_NOISE for values in predicted)


def _converted(checkpoint: Path) -> Path:
    # Here, for it loads diffusers, which takes longer than torch, and the shipped prior does without it.
    from CTSuperResolutionLib.diffusion.checkpoint_conversion import converted_once

    return converted_once(checkpoint)


def _require_one_network(place: Path, folder: Path) -> None:
    """The folder has the files of a prior, and no others that weights could be taken from."""
    for needed in (CONFIG, SCHEDULE, WEIGHTS):
        if not (folder / needed).is_file():
            raise JobError(
                f"The prior {place} has no {needed}; name a folder written by 'ctsr train-prior' "
                "or a diffusers UNet2DModel with its scheduler's configuration."
            )
    more = [*folder.glob("*.safetensors"), *folder.glob("*.index.json")]
    others = sorted(path.name for path in more if path.name not in (WEIGHTS, FAMILIAR))
    if others:
        raise JobError(
            f"The prior {place} has other weights beside {WEIGHTS} ({others[0]}); take them out of the folder."
        )


def _renamed(weights: dict[str, torch.Tensor], network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Weights with the names that attention has in diffusers today, where they have those of before 0.14."""
    known = network.state_dict().keys()
    renamed = {}
    for name, values in weights.items():
        new = name
        for old, today in ATTENTION_NAMES.items():
            new = new.replace(f".{old}.", f".{today}.")
        renamed[new if new in known else name] = values
    return renamed


def save_prior(network: ResidualDenoiser, folder: Path, *, card: dict[str, object]) -> None:
    """Write weights (half precision), both configurations and ``training.json`` into a folder.

    The schedule is :data:`.LINEAR`.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    half = {name: values.half().contiguous() for name, values in network.state_dict().items()}
    config = {"_class_name": type(network).__name__, **network.config}
    for name, content in ((CONFIG, config), (SCHEDULE, dict(LINEAR)), (CARD, card)):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n")
    safetensors.torch.save_file(half, folder / WEIGHTS, metadata={"format": "pt"})
