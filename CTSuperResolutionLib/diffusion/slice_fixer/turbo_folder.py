"""Turbo folder: the files of a slice fixer on a text-to-image model, and where its base lies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from CTSuperResolutionLib.diffusion.prior_folder import CONFIG, WEIGHTS
from CTSuperResolutionLib.diffusion.slice_fixer.turbo_base import OneStep, TurboBase, word_embeddings
from CTSuperResolutionLib.diffusion.slice_fixer.turbo_network import VIEW_TOKENS, TurboConfig, TurboNetwork
from CTSuperResolutionLib.diffusion.slice_fixer.words import WORDS
from CTSuperResolutionLib.errors import JobError, OtherOption

CLASS = "_class_name"


def is_turbo(entries: Mapping[str, Any]) -> bool:
    """Whether the entries of a fixer's configuration are those of a turbo network."""
    return entries.get(CLASS) == TurboNetwork.__name__


def begin_turbo(base: Path, word: str, folder: Path) -> TurboNetwork:
    """An untrained network on a base, whose configuration is written into the folder that it is trained in.

    Args:
        base: the user's. word: that the network is told, one of :data:`.WORDS`. folder: there already.

    Raises:
        JobError: the base cannot be used, or the folder has a fixer that it does not go with.
    """
    found, step, prompts = TurboBase.load(base), OneStep.of(base), word_embeddings(base, WORDS)
    if prompts.shape[2] != found.unet.config["cross_attention_dim"] or prompts.shape[1] < 2 * VIEW_TOKENS:
        raise JobError(f"The text encoder of the base {base} is not of its UNet; name the folder of one model.")
    if (folder / CONFIG).is_file():
        _require_same_base(folder, found.sha256)
    config = TurboConfig(str(base.resolve()), found.sha256, step, WORDS, word)
    _write_config(config, folder)
    return TurboNetwork(found, config, prompts)


def load_turbo(
    folder: Path, entries: Mapping[str, Any], state: Mapping[str, torch.Tensor], word: str | None
) -> TurboNetwork:
    """The network of a folder.

    Args:
        folder: for what is said. entries: of its configuration. state: its weights.
        word: that the network is told; None for the one that it was trained with last.

    Raises:
        JobError: the base is not where it was, or another one, or the word is not known.
        Exception: the entries or the state are not of such a network.
    """
    told = {**entries, "step": OneStep(**entries["step"]), "words": tuple(entries["words"])}
    config = TurboConfig(**{name: value for name, value in told.items() if name != CLASS})
    if len(config.words) != len(state["prompts"]):
        raise ValueError("not a prompt for every word")
    word = config.word if word is None else word
    if word not in config.words:
        raise JobError(f"The slice fixer {folder} knows no '{word}'; name one of {', '.join(config.words)}.")
    base = Path(config.base)
    where = f'write where it lies as "base" into {folder / CONFIG}'
    if not base.is_dir():
        raise JobError(f"The slice fixer {folder} needs the base {base}, which is not there; put it back, or {where}.")
    found = TurboBase.load(base)
    if found.sha256 != config.base_sha256:
        raise JobError(f"The base {base} is not the one that the slice fixer {folder} was trained on; {where}.")
    network = TurboNetwork(found, replace(config, word=word), state["prompts"])
    network.load_state_dict(state)
    return network


def save_turbo(network: TurboNetwork, folder: Path) -> None:
    """Write configuration and weights (what was trained, float32) into a folder; nothing of the base."""
    _write_config(network.config, folder)
    state = {name: values.contiguous() for name, values in network.state_dict().items()}
    safetensors.torch.save_file(state, folder / WEIGHTS)


def _write_config(config: TurboConfig, folder: Path) -> None:
    entries = {CLASS: TurboNetwork.__name__, **asdict(config)}
    (folder / CONFIG).write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")


def _require_same_base(folder: Path, sha256: Mapping[str, str]) -> None:
    """Check that what was begun in a folder was begun on that base."""
    try:
        entries = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        same = is_turbo(entries) and entries["base_sha256"] == sha256
        lies = f", {entries['base']}" if is_turbo(entries) else ""
    except (ValueError, LookupError, AttributeError):
        same, lies = False, ""
    if not same:
        raise JobError(
            f"The folder {folder} holds a slice fixer that is not of this base{lies}", OtherOption("out", "another {}")
        )
