"""Turbo base: a Stable Diffusion model such as SD-Turbo, read from a folder of the user's, to be used in one step.

The folder has the layout of diffusers' pipelines. Nothing is downloaded, and pickles are not opened.
"""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from CTSuperResolutionLib.diffusion.prior_folder import CONFIG, SCHEDULE, sha256_of
from CTSuperResolutionLib.errors import JobError

if TYPE_CHECKING:
    from diffusers.models import AutoencoderKL, UNet2DConditionModel

PACKAGES = ("peft", "transformers")
CLASSES = {"unet": "UNet2DConditionModel", "vae": "AutoencoderKL", "text_encoder": "CLIPTextModel"}
WEIGHTS = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model", "text_encoder": "model"}
VARIANTS = (None, "fp16")  # of a file of weights, the best first
PREDICTIONS = ("epsilon", "v_prediction")


@dataclass(frozen=True)
class OneStep:
    """The step from the last time of a base's noise schedule to a clean latent.

    Attributes:
        time: t. alpha: ᾱ_t. prediction: what the UNet predicts, one of :data:`PREDICTIONS`.
    """

    time: int
    alpha: float
    prediction: str

    @classmethod
    def of(cls, folder: Path) -> OneStep:
        """That of a base's scheduler.

        Raises:
            JobError: the folder has none, or one that allows no such step.
        """
        from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

        file = _file(folder, "scheduler", SCHEDULE)
        with _readable(folder, "scheduler"):
            # Whichever sampler it is for: the schedule is the same.
            entries = json.loads(file.read_text(encoding="utf-8")) | {"_class_name": DDPMScheduler.__name__}
            scheduler = DDPMScheduler.from_config(entries)
            alphas = scheduler.alphas_cumprod
            found = cls(len(alphas) - 1, float(alphas[-1]), scheduler.config["prediction_type"])
        if found.prediction not in PREDICTIONS or (found.prediction == "epsilon" and found.alpha <= 0):
            raise JobError(
                f"The base {folder} predicts '{found.prediction}' with ᾱ = {found.alpha:g} in the end, which gives no "
                "clean slice in one step; name another base."
            )
        return found

    def clean(self, noisy: torch.Tensor, predicted: torch.Tensor) -> torch.Tensor:
        """x₀ of latents x_t: (x_t − √(1 − ᾱ) ε) / √ᾱ, or √ᾱ x_t − √(1 − ᾱ) v (Salimans and Ho 2022, eq. 6)."""
        signal, sigma = math.sqrt(self.alpha), math.sqrt(1 - self.alpha)
        if self.prediction == "epsilon":
            return (noisy - sigma * predicted) / signal
        return signal * noisy - sigma * predicted


@dataclass(frozen=True, eq=False)
class TurboBase:
    """The networks of a base, float32, on the CPU.

    Attributes:
        folder: where it lies. unet: predicts in latents. vae: slices to latents and back.
        sha256: of the files of weights, by network.
    """

    folder: Path
    unet: UNet2DConditionModel
    vae: AutoencoderKL
    sha256: dict[str, str]

    @classmethod
    def load(cls, folder: Path) -> TurboBase:
        """Read a base.

        Raises:
            JobError: peft or transformers are not installed, or the folder is no base of Stable Diffusion's shape.
        """
        for package in PACKAGES:
            if importlib.util.find_spec(package) is None:
                raise JobError(
                    f"A slice fixer on a Stable Diffusion model needs {package}; install it with "
                    "pip install 'ctsuperresolution[turbo]'."
                )
        from diffusers.models import AutoencoderKL, UNet2DConditionModel

        files = {part: _weights(folder, part) for part in ("unet", "vae")}
        unet, vae = _network(UNet2DConditionModel, folder, "unet"), _network(AutoencoderKL, folder, "vae")
        latents = {unet.config.in_channels, unet.config.out_channels, vae.config.latent_channels}
        further = ("addition_embed_type", "class_embed_type", "encoder_hid_dim_type", "time_cond_proj_dim")
        if len(latents) > 1 or vae.config.in_channels != 3 or any(unet.config.get(name) for name in further):
            raise JobError(
                f"The base {folder} is not of the shape of Stable Diffusion 1 or 2; name one such as SD-Turbo."
            )
        return cls(folder, unet, vae, {part: sha256_of(file) for part, file in files.items()})


def word_embeddings(folder: Path, words: Sequence[str]) -> torch.Tensor:
    """What a base's text encoder makes of prompts of one word each, (words, tokens, channels), float32.

    Raises:
        JobError: the folder has no text encoder or tokenizer, or one of another kind.
    """
    from transformers import CLIPTextModel, CLIPTokenizer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # of reading a file, between the user and our own

    _weights(folder, "text_encoder")
    _file(folder, "tokenizer", "tokenizer_config.json")
    encoder = _network(CLIPTextModel, folder, "text_encoder")
    with _readable(folder, "tokenizer"):
        tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
        length = encoder.config.max_position_embeddings
        tokens = tokenizer(list(words), padding="max_length", truncation=True, max_length=length, return_tensors="pt")
        with torch.no_grad():
            return encoder.eval()(tokens.input_ids).last_hidden_state


def _network(kind: Any, folder: Path, part: str) -> Any:
    """A network of a base, by the class of diffusers or transformers that it is of."""
    with _readable(folder, part):
        named = json.loads(_file(folder, part, CONFIG).read_text(encoding="utf-8"))
        named = named.get("_class_name") or named["architectures"][0]
    if named != CLASSES[part]:
        raise JobError(f"The {part} of the base {folder} is a {named}, no {CLASSES[part]}; name one such as SD-Turbo.")
    variant = "fp16" if ".fp16." in _weights(folder, part).name else None
    with _readable(folder, part):
        network, loading = kind.from_pretrained(
            folder / part,
            local_files_only=True,
            use_safetensors=True,
            variant=variant,
            torch_dtype=torch.float32,
            output_loading_info=True,
        )
        if loading["missing_keys"]:
            raise ValueError(f"no weights for {loading['missing_keys']}")
    return network


def _weights(folder: Path, part: str) -> Path:
    """The file of a part's weights."""
    for variant in VARIANTS:
        file = folder / part / ".".join(filter(None, (WEIGHTS[part], variant, "safetensors")))
        if file.is_file():
            return file
    for pickled in sorted((folder / part).glob("*.bin")):
        raise JobError(
            f"The base {folder} has {part}/{pickled.name} in place of safetensors, which is not opened, for a pickle "
            "can run any code; save the base as safetensors."
        )
    return _file(folder, part, f"{WEIGHTS[part]}.safetensors")


def _file(folder: Path, part: str, name: str) -> Path:
    """A file of a base that has to be there."""
    if not (folder / part / name).is_file():
        raise JobError(
            f"The base {folder} has no {part}/{name}; name the folder of a Stable Diffusion model as "
            "diffusers saves it."
        )
    return folder / part / name


@contextmanager
def _readable(folder: Path, part: str) -> Iterator[None]:
    """Errors of reading as one sentence."""
    try:
        yield
    except JobError:
        raise
    except Exception as error:  # diffusers, transformers, tokenizers and safetensors each raise their own kinds
        raise JobError(f"The {part} of the base {folder} cannot be read; get that base again.") from error
