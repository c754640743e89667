"""Files of a prior's folder: weights, configurations of network and noise schedule, named as diffusers does."""

from __future__ import annotations

import hashlib
from pathlib import Path

CONFIG = "config.json"
SCHEDULE = "scheduler_config.json"
CARD = "training.json"  # what it was trained on and how
SOURCE = "source.json"  # of an imported prior: where it is from
WEIGHTS = "diffusion_pytorch_model.safetensors"
FAMILIAR = "familiar_patches.safetensors"  # what patches of the CTs look like that it was trained on


def sha256_of(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal; files of gigabytes take a few megabytes of memory."""
    digest = hashlib.sha256()
    with open(file, "rb") as stream:
        while block := stream.read(2**22):
            digest.update(block)
    return digest.hexdigest()
