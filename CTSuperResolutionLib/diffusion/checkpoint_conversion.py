"""Conversion of guided-diffusion checkpoint files to priors' folders in the user's cache."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file

from CTSuperResolutionLib.diffusion.networks.guided_diffusion import GuidedDiffusionUNet, configuration, convert_weights
from CTSuperResolutionLib.diffusion.noise_schedule import LINEAR
from CTSuperResolutionLib.diffusion.prior_folder import CONFIG, SCHEDULE, SOURCE, WEIGHTS, sha256_of
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.priors import cache_folder


def converted_once(checkpoint: Path) -> Path:
    """The folder of a checkpoint's prior, named by its SHA-256; converted at the first call.

    Raises:
        JobError: as :func:`convert_checkpoint`.
    """
    try:
        folder = cache_folder() / "checkpoints" / sha256_of(checkpoint)
    except OSError as error:
        raise JobError(f"The checkpoint {checkpoint} cannot be read ({error.strerror}); check its path.") from None
    if not folder.is_dir():
        convert_checkpoint(checkpoint, folder, source={"file": checkpoint.name})
    return folder


def convert_checkpoint(checkpoint: Path, folder: Path, *, source: Mapping[str, object]) -> None:
    """Write a checkpoint as a prior's folder, in place of an older one: all of it or nothing.

    The schedule is not in the file; it is the linear one that guided-diffusion's models share.

    Args:
        checkpoint: a torch file of a state dict; unpickled with ``weights_only``.
        folder: gets float32 weights, both configurations and ``source.json``; for the user alone to read.
        source: where the checkpoint is from, the content of ``source.json``.

    Raises:
        JobError: the checkpoint is damaged or of another network, or the folder cannot be written.
    """
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except Exception as error:  # torch, zipfile and pickle each raise their own kinds
        raise JobError(f"The checkpoint {checkpoint} is damaged or holds more than weights; get it again.") from error
    try:
        config = configuration(state)
        weights = convert_weights(state, config)
    except (KeyError, ValueError, TypeError, AttributeError, IndexError, RuntimeError) as error:
        raise JobError(
            f"The checkpoint {checkpoint} is not of a guided-diffusion UNet with scale-shift norm and resampling "
            f"residual blocks ({_reason(error)}); choose another one."
        ) from error
    staging = None
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
        save_file(weights, staging / WEIGHTS, metadata={"format": "pt"})
        (staging / CONFIG).write_text(json.dumps({"_class_name": GuidedDiffusionUNet.__name__, **config}, indent=2))
        (staging / SOURCE).write_text(json.dumps(dict(source), indent=2))
        (staging / SCHEDULE).write_text(json.dumps(dict(LINEAR), indent=2))
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(staging, folder)
    except Exception as error:  # a full disk is an OSError here and a SafetensorError there
        raise JobError(f"The prior cannot be written to {folder} ({_reason(error)}); make room there.") from error
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)


def _reason(error: Exception) -> str:
    text = f"no {error.args[0]}" if isinstance(error, KeyError) else str(error).strip()
    return (text or type(error).__name__).splitlines()[0].rstrip(".")
