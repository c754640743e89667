"""Training checkpoint: all that a stopped training goes on from, and the names of the CTs that it saw."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from diffusers.training_utils import EMAModel

from CTSuperResolutionLib.errors import JobError

CHECKPOINT = "checkpoint.pt"


def save_checkpoint(
    path: Path, network: torch.nn.Module, ema: EMAModel, optimizer: torch.optim.Optimizer, step: int, cts: list[str]
) -> None:
    """Write a checkpoint, in place of an older one: all of it or nothing."""
    partial = path.with_suffix(".partial")
    state = {"network": network.state_dict(), "ema": ema.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save({**state, "step": step, "ct": cts}, partial)
    os.replace(partial, path)


def load_checkpoint(
    path: Path, network: torch.nn.Module, ema: EMAModel, optimizer: torch.optim.Optimizer
) -> tuple[int, list[str]]:
    """Bring back a checkpoint; return its step and the CTs it was trained on, 0 and none where there is none.

    Raises:
        JobError: it is damaged or of another network.
    """
    if not path.exists():
        return 0, []
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict(state["network"])
        ema.load_state_dict(state["ema"])
        optimizer.load_state_dict(state["optimizer"])
        return int(state["step"]), list(state["ct"])
    except Exception as error:
        raise JobError(f"The checkpoint {path} cannot be read; delete it to train from the start.") from error
