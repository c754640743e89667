"""A random text-to-image model of Stable Diffusion's shape, as small as it goes, saved as diffusers saves one."""

from __future__ import annotations

import json
import string
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

START, END = "<|startoftext|>", "<|endoftext|>"


def save_tiny_base(folder: Path, *, prediction: str = "epsilon", seed: int = 0, **unet: object) -> Path:
    """Write it; ``unet`` are further options of its UNet. The autoencoder and the UNet halve a side once each."""
    torch.manual_seed(seed)
    UNet2DConditionModel(
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        attention_head_dim=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=16,
        **unet,
    ).save_pretrained(folder / "unet")
    AutoencoderKL(
        block_out_channels=(8, 16),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=4,
    ).save_pretrained(folder / "vae")
    DDPMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        prediction_type=prediction,
    ).save_pretrained(folder / "scheduler")
    letters = string.ascii_lowercase
    vocabulary = [*letters, *(f"{letter}</w>" for letter in letters), START, END]
    start, end = len(vocabulary) - 2, len(vocabulary) - 1
    CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(vocabulary),
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            bos_token_id=start,
            eos_token_id=end,
            pad_token_id=end,
        )
    ).save_pretrained(folder / "text_encoder")
    tokenizer = folder / "tokenizer"
    tokenizer.mkdir()
    (tokenizer / "vocab.json").write_text(json.dumps({token: place for place, token in enumerate(vocabulary)}))
    (tokenizer / "merges.txt").write_text("#version: 0.2\n")
    special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    (tokenizer / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, **special})
    )
    return folder


def prompt_tokens(word: str) -> list[int]:
    """Tokens of a prompt of one word, 77 of them: of its letters, between start and end, and then ends."""
    letters = [string.ascii_lowercase.index(letter) for letter in word]
    letters[-1] += 26  # the last one of a word
    found = [52, *letters, 53]
    return found + [53] * (77 - len(found))
