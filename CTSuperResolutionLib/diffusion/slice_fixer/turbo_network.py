"""Turbo network: a slice fixer on a text-to-image model, in one step, the form that DiffNR's authors give it.

DiffNR (arXiv 2604.21518): SD-Turbo in one step at t = 999, LoRA of rank 8 in the UNet and 4 in the autoencoder, 1 × 1
skip convolutions that start at zero, a text prompt, slices at twice their size, and two orthogonal projections that
reach the UNet by cross-attention. From pix2pix-turbo (Parmar et al. 2024, arXiv 2403.12036), which that is built on:
the image takes the place of the noise, and the skips go from the encoder to the decoder. Ours: what LoRA is put on,
the encoder of the projections, and how it starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

from CTSuperResolutionLib.diffusion.slice_fixer.network import NEIGHBOURS, VIEW_COLUMNS, VIEW_ROWS, view_layers

if TYPE_CHECKING:
    from CTSuperResolutionLib.diffusion.slice_fixer.turbo_base import OneStep, TurboBase

UNET_RANK, VAE_RANK = 8, 4
VIEW_TOKENS = (VIEW_ROWS // 8) * (VIEW_COLUMNS // 8)


@dataclass(frozen=True)
class TurboConfig:
    """What makes a network of a base.

    Attributes:
        base: its folder. base_sha256: of its weights. step: of its schedule.
        words: that the network can be told. word: that it is told.
        unet_rank, vae_rank: of LoRA.
    """

    base: str
    base_sha256: Mapping[str, str]
    step: OneStep
    words: tuple[str, ...]
    word: str
    unet_rank: int = UNET_RANK
    vae_rank: int = VAE_RANK


class TurboNetwork(torch.nn.Module):
    """Predicts a clean slice from one with streaks, by a Stable Diffusion model with small trained parts.

    Its state is what was trained, and the prompts: the base is read from where it lies.

    Before any training it gives what the base makes of a slice. Prompts of one word are nearly all padding: the last
    16 of a prompt's tokens are shifted by what the projections show, by nothing at first, so that the UNet always
    attends to as many tokens as it knows.

    Args:
        base: becomes part of it. config: of the same base.
        prompts: (words, tokens, channels), see :func:`.word_embeddings`.

    Attributes:
        at_once: slices that are repaired together.
    """

    at_once = 1
    prompts: torch.Tensor

    def __init__(self, base: TurboBase, config: TurboConfig, prompts: torch.Tensor) -> None:
        super().__init__()
        self.config = config
        self.unet, self.vae = _with_lora(base.unet, config.unet_rank), _with_lora(base.vae, config.vae_rank)
        self.register_buffer("prompts", prompts)
        self.views = torch.nn.Sequential(
            *view_layers(64),
            torch.nn.SiLU(),
            _zeroed(torch.nn.Conv2d(64, prompts.shape[-1], 1)),
        )
        # What goes into a block of the encoder has the resolution of what goes into the decoder's block opposite.
        down = self.vae.config.block_out_channels
        up = down[::-1]
        into_down, into_up = (down[0], *down[:-1]), (up[0], *up[:-1])
        self.skips = torch.nn.ModuleList(
            _zeroed(torch.nn.Conv2d(n, m, 1, bias=False)) for n, m in zip(into_down, into_up[::-1], strict=True)
        )
        self._into_down: list[torch.Tensor] = []  # of the slices that are on their way
        self._join()
        self._own = {name for name, values in self.named_parameters() if values.requires_grad} | {"prompts"}

    @property
    def multiple(self) -> int:
        """Image sides that the network takes are multiples of this."""
        halvings = sum(len(part.config.block_out_channels) - 1 for part in (self.unet, self.vae))
        return max(1, 2**halvings // 2)

    def forward(self, slices: torch.Tensor, views: torch.Tensor) -> torch.Tensor:
        """Slices to clean slices (n, 1, y, x).

        Args:
            slices: (n, 6, y, x), as :meth:`.SliceFixerNetwork.forward` takes them; only the slice itself is looked at.
            views: (n, 2, 16, 64).
        """
        self._into_down.clear()
        shown = F.interpolate(2 * slices[:, NEIGHBOURS : NEIGHBOURS + 1] - 1, scale_factor=2, mode="bilinear")
        scale = self.vae.config.scaling_factor
        noisy = scale * self.vae.encode(shown.expand(-1, 3, -1, -1)).latent_dist.mode()
        step = self.config.step
        predicted = self.unet(noisy, step.time, encoder_hidden_states=self._tokens(views)).sample
        found = self.vae.decode(step.clean(noisy, predicted) / scale).sample
        return F.avg_pool2d((found.mean(1, keepdim=True) + 1) / 2, 2)

    def state_dict(self, *args: Any, **options: Any) -> dict[str, Any]:  # type: ignore[override]  # torch's has two forms
        """What was trained, and the prompts."""
        return {name: values for name, values in super().state_dict(*args, **options).items() if name in self._own}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Take over a state. Raises ValueError or RuntimeError where it is of another network."""
        if state.keys() != self._own:
            raise ValueError("the state of another network")
        return super().load_state_dict(state, strict=False, assign=assign)

    def _tokens(self, views: torch.Tensor) -> torch.Tensor:
        """Tokens that the UNet attends to, (n, tokens, channels)."""
        prompt = self.prompts[self.config.words.index(self.config.word)].expand(len(views), -1, -1)
        shown = self.views(views).flatten(2).transpose(1, 2)
        return prompt + F.pad(shown, (0, 0, prompt.shape[1] - VIEW_TOKENS, 0))

    def _join(self) -> None:
        """Add what goes into the encoder's blocks, by the skip convolutions, to what goes into the decoder's."""

        def keep(block: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> None:
            self._into_down.append(given[0])

        def add(skip: torch.nn.Module) -> Any:
            def added(block: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
                return given[0] + skip(self._into_down.pop()), *given[1:]

            return added

        for block in self.vae.encoder.down_blocks:
            block.register_forward_pre_hook(keep)
        for block, skip in zip(self.vae.decoder.up_blocks, reversed(self.skips), strict=True):
            block.register_forward_pre_hook(add(skip))


def _with_lora(network: Any, rank: int) -> Any:
    """A network whose weights stay, with trained low-rank ones beside those of all its layers, zero at first."""
    from peft import LoraConfig, inject_adapter_in_model

    layers = [name for name, part in network.named_modules() if isinstance(part, torch.nn.Linear | torch.nn.Conv2d)]
    lora = LoraConfig(r=rank, lora_alpha=rank, target_modules=layers)
    return inject_adapter_in_model(lora, network)  # which freezes the rest


def _zeroed(layer: torch.nn.Conv2d) -> torch.nn.Conv2d:
    for values in layer.parameters():
        torch.nn.init.zeros_(values)
    return layer
