"""UNet of OpenAI's guided-diffusion (Dhariwal and Nichol 2021) by diffusers' modules, and the names of its weights.

Known are networks with scale-shift norm, residual blocks that resample, and attention heads of 64 channels in the
first of guided-diffusion's two orders: its 512² and 256² models and those trained from them, the paper's among them.
All else is told by the names and shapes of the weights.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TypedDict

import torch
from diffusers.configuration_utils import register_to_config
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from diffusers.models.unets.unet_2d import UNet2DModel

HEAD_CHANNELS = 64
ENDS = {
    "time_embed.0": "time_embedding.linear_1",
    "time_embed.2": "time_embedding.linear_2",
    "input_blocks.0.0": "conv_in",
    "out.0": "conv_norm_out",
    "out.2": "conv_out",
}
RESIDUAL = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
}
ATTENTION = {"norm": "group_norm", "qkv": "qkv", "proj_out": "to_out.0"}


class GuidedDiffusionConfig(TypedDict):
    """Arguments of :class:`GuidedDiffusionUNet`."""

    image_channels: int
    model_channels: int
    level_channels: Sequence[int]
    attention: Sequence[bool]
    blocks: int


class GuidedDiffusionUNet(UNet2DModel):
    """guided-diffusion's UNet: diffusers' with a step embedding of ``model_channels``.

    UNet2DModel takes that width from its finest level, which in the 512² models has half of it.

    Args:
        image_channels: of the image and of the predicted noise.
        model_channels: width that those of the levels are multiples of.
        level_channels: channels of each level, finest first; multiples of 32, and of 64 with attention.
        attention: whether a level has attention, finest first.
        blocks: residual blocks of each level on the way down; one more on the way up.
    """

    @register_to_config
    def __init__(
        self,
        image_channels: int,
        model_channels: int,
        level_channels: Sequence[int],
        attention: Sequence[bool],
        blocks: int,
    ) -> None:
        super().__init__(
            in_channels=image_channels,
            out_channels=image_channels,
            time_embedding_dim=4 * model_channels,
            block_out_channels=tuple(level_channels),
            down_block_types=tuple("AttnDownBlock2D" if a else "ResnetDownsampleBlock2D" for a in attention),
            up_block_types=tuple("AttnUpBlock2D" if a else "ResnetUpsampleBlock2D" for a in reversed(attention)),
            layers_per_block=blocks,
            downsample_type="resnet",
            upsample_type="resnet",
            resnet_time_scale_shift="scale_shift",
            attention_head_dim=HEAD_CHANNELS,
            attn_norm_num_groups=32,  # else scale_shift would leave the middle's attention without its norm
        )
        self.add_module("time_proj", Timesteps(model_channels, flip_sin_to_cos=True, downscale_freq_shift=0))
        self.add_module("time_embedding", TimestepEmbedding(model_channels, 4 * model_channels))


def configuration(state: Mapping[str, torch.Tensor]) -> GuidedDiffusionConfig:
    """Arguments of :class:`GuidedDiffusionUNet` for a guided-diffusion state dict.

    Raises:
        KeyError, ValueError: the weights are of another network.
    """
    rows = len({name.split(".")[1] for name in state if name.startswith("output_blocks.")})
    # On the way up, the last row of every level but the finest has a second residual block, which upsamples.
    levels = 1 + sum(bool(re.fullmatch(r"output_blocks\.\d+\.[12]\.in_layers\.2\.weight", name)) for name in state)
    if rows == 0 or rows % levels:
        raise ValueError("its blocks do not form levels")
    firsts = [f"input_blocks.{1 + level * (rows // levels)}" for level in range(levels)]
    return {
        "image_channels": state["input_blocks.0.0.weight"].shape[1],
        "model_channels": state["time_embed.0.weight"].shape[1],
        "level_channels": [state[f"{first}.0.out_layers.3.weight"].shape[0] for first in firsts],
        "attention": [f"{first}.1.qkv.weight" in state for first in firsts],
        "blocks": rows // levels - 1,
    }


def convert_weights(state: Mapping[str, torch.Tensor], config: GuidedDiffusionConfig) -> dict[str, torch.Tensor]:
    """The weights of a guided-diffusion state dict as those of :class:`GuidedDiffusionUNet`, in float32.

    Raises:
        KeyError, ValueError: a weight is missing, of another shape, or not known.
    """
    left, found = dict(state), {}
    for old, new in _modules(config, left.keys()):
        for kind in ("weight", "bias"):
            value = left.pop(f"{old}.{kind}")
            if old.endswith(".qkv"):
                for name, part in zip(("to_q", "to_k", "to_v"), _split_heads(value), strict=True):
                    found[f"{new.removesuffix('qkv')}{name}.{kind}"] = part
            else:
                # Convolutions of one position are linear layers there.
                found[f"{new}.{kind}"] = value[..., 0] if value.ndim == 3 else value
    if left:
        raise ValueError(f"no place for {min(left)}")
    for kind in ("weight", "bias"):
        # A network that learned the variance, too, predicts it in the second half.
        found[f"conv_out.{kind}"] = found[f"conv_out.{kind}"][: config["image_channels"]].clone()
    with torch.device("meta"):
        expected = GuidedDiffusionUNet(**config).state_dict()
    for name in sorted(expected.keys() | found.keys()):
        if name not in found or name not in expected or found[name].shape != expected[name].shape:
            raise ValueError(f"{name} is missing or of another shape")
    return {name: value.to(torch.float32).contiguous() for name, value in found.items()}


def _split_heads(value: torch.Tensor) -> list[torch.Tensor]:
    """Queries, keys and values out of rows ordered (head, one of the three, channel of the head)."""
    rows = value.reshape(-1, 3, HEAD_CHANNELS, *value.shape[1:2])
    return [part.reshape(-1, *part.shape[2:]) for part in rows.unbind(1)]


def _modules(config: GuidedDiffusionConfig, names: Collection[str]) -> Iterator[tuple[str, str]]:
    """Every module with weights: its name in guided-diffusion and in diffusers."""
    yield from ENDS.items()
    for old, new in _blocks(config):
        is_attention = f"{old}.qkv.weight" in names
        for part, renamed_part in (ATTENTION if is_attention else RESIDUAL).items():
            yield f"{old}.{part}", f"{new}.{renamed_part}"
        if f"{old}.skip_connection.weight" in names:
            yield f"{old}.skip_connection", f"{new}.conv_shortcut"


def _blocks(config: GuidedDiffusionConfig) -> Iterator[tuple[str, str]]:
    """Every residual and attention block: its name in guided-diffusion and in diffusers."""
    attention, blocks = config["attention"], config["blocks"]
    levels = len(attention)
    row = 1
    for level in range(levels):
        for block in range(blocks):
            yield f"input_blocks.{row}.0", f"down_blocks.{level}.resnets.{block}"
            if attention[level]:
                yield f"input_blocks.{row}.1", f"down_blocks.{level}.attentions.{block}"
            row += 1
        if level < levels - 1:
            yield f"input_blocks.{row}.0", f"down_blocks.{level}.downsamplers.0"
            row += 1
    yield "middle_block.0", "mid_block.resnets.0"
    yield "middle_block.1", "mid_block.attentions.0"
    yield "middle_block.2", "mid_block.resnets.1"
    row = 0
    for up, level in enumerate(reversed(range(levels))):
        for block in range(blocks + 1):
            yield f"output_blocks.{row}.0", f"up_blocks.{up}.resnets.{block}"
            if attention[level]:
                yield f"output_blocks.{row}.1", f"up_blocks.{up}.attentions.{block}"
            if level and block == blocks:
                yield f"output_blocks.{row}.{1 + attention[level]}", f"up_blocks.{up}.upsamplers.0"
            row += 1
