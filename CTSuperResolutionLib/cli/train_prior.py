"""ctsr train-prior: train the prior on radiographs, CTs and dead leaves.

Goes on from where it was stopped when DIR holds a checkpoint. DIR gets the prior, training.json and samples.png, anew
at every report. CTs are degraded, and give slices and projections; to report figures on one of them, leave it out.
`accelerate launch -m CTSuperResolutionLib train-prior …` uses several GPUs.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from CTSuperResolutionLib.diffusion.prior_folder import CONFIG
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.events import Reporter
from CTSuperResolutionLib.job.method import MAX_SEED
from CTSuperResolutionLib.job.priors import find_prior

if TYPE_CHECKING:
    from CTSuperResolutionLib.trust.familiar_patches import FamiliarPatches
    from CTSuperResolutionLib.volume.volume import Volume

MOST = 1e9  # of anything
PLAN = ("minutes", "steps", "batch", "crop", "blocks", "learning_rate", "report_every", "seed")
SHARES = ("radiograph_share", "ct_share", "dead_leaves_share", "projections")
IMAGES = ("dead_leaves", *SHARES, "validation_fraction")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command. What is not given stays as the recipe of the shipped prior has it."""
    parser.add_argument("folders", nargs="*", metavar="FOLDER", help="radiographs; folders are drawn equally often")
    several: dict[str, Any] = {"nargs": "+", "default": [], "action": "extend"}
    parser.add_argument("--ct", **several, metavar="PATH", help="HR CTs, files or folders of files")
    parser.add_argument("--leave-out", **several, metavar="NAME", help="CTs not to train on, without suffix")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the prior and its checkpoint")
    parser.add_argument("--start-from", metavar="PRIOR", help="begin with these weights; more blocks may follow theirs")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default auto)")
    parser.add_argument("--minutes", type=float, help="end after that time, learning rate included")
    for name, kind, text in (
        ("steps", int, "optimiser steps in all, those of earlier calls included"),
        ("batch", int, "crops a step"),
        ("crop", int, "side of the crops in pixels"),
        ("blocks", int, "residual blocks of the network"),
        ("learning-rate", float, "at its highest"),
        ("dead-leaves", int, "volumes of dead leaves, random opaque shapes over each other, to make"),
        ("radiograph-share", float, "of radiographs in a batch, relative to the other two shares"),
        ("ct-share", float, "of CTs"),
        ("dead-leaves-share", float, "of dead leaves"),
        ("projections", float, "share of projections in what CTs and dead leaves give; the others are slices"),
        ("validation-fraction", float, "share of the radiographs that is kept for validation"),
        ("report-every", int, "steps between checkpoints"),
        ("seed", int, "of all random numbers"),
    ):
        parser.add_argument(f"--{name}", type=kind, metavar="N" if kind is int else "X", help=text)


def execute(options: argparse.Namespace, progress: Reporter) -> dict[str, Any]:
    """Run the command."""
    chosen = _chosen_values(options)
    out = Path(options.out)
    for folder in options.folders:
        if not os.path.isdir(folder):
            raise JobError(f"There is no folder {folder}; name folders of radiographs.")
    created: list[Path] = []  # innermost first

    def tidy() -> None:
        with contextlib.suppress(OSError):
            (out / "checkpoint.partial").unlink()
        for folder in created:
            with contextlib.suppress(OSError):
                folder.rmdir()  # only if nothing is in it

    progress.cancellation.on_kill(tidy)
    progress.stage("prepare")
    try:
        _make(out, created)
        from CTSuperResolutionLib import machine
        from CTSuperResolutionLib.diffusion.prior import Prior
        from CTSuperResolutionLib.diffusion.training.datasets import TrainingImages, choose_cts
        from CTSuperResolutionLib.diffusion.training.loop import (
            TrainingPlan,
            make_accelerator,
            make_network,
            train_prior,
        )
        from CTSuperResolutionLib.evaluation.priors import cts_seen

        # First of all, because it may not be installed and CTs take minutes.
        accelerator = make_accelerator(machine.choose_device(options.device))
        plan = TrainingPlan(**{name: value for name, value in chosen.items() if name not in IMAGES})
        images = TrainingImages(
            radiographs=[Path(folder) for folder in options.folders],
            cts=choose_cts([Path(place) for place in options.ct], options.leave_out),
            **{name: value for name, value in chosen.items() if name in IMAGES},
        )
        progress.stage("prepare", len(images))
        place = None if options.start_from is None else find_prior(options.start_from)
        start = None if place is None else Prior.load(place)
        make_network(plan, start)  # CTs take minutes, and it may not do
        familiar = _familiar(images.cts, [folder for folder in (out, place) if folder is not None], progress)
        training, held_out, card = images.load(plan.seed, progress)
        if place is not None:  # what a prior saw, those that begin with it have seen
            card["ct"] = sorted({*card["ct"], *cts_seen(place)})
        on_step = _TrainingProgress(progress, plan.minutes)
        try:
            losses = train_prior(
                training, held_out, out, plan, card=card, accelerator=accelerator, start=start, on_step=on_step
            )
        finally:
            if familiar is not None and (out / CONFIG).is_file():
                familiar.save(out)
    except OSError as error:
        place = Path(str(error.filename or out))
        if error.errno is None or not (out in (place, *place.parents) or place in out.parents):
            raise  # a library's own
        raise JobError(f"{place} cannot be written ({error.strerror or error}); choose another --out.") from None
    finally:
        tidy()
    return {"folder": str(out.resolve()), "validation_loss": losses}


def describe(found: dict[str, Any]) -> str:
    """The result as a terminal shows it."""
    losses = ", ".join(f"{step}: {loss:.4f}" for step, loss in found["validation_loss"].items())
    return f"validation loss by diffusion step (1: knows nothing): {losses}\n  {found['folder']}"


def _familiar(cts: Sequence[Path], priors: Sequence[Path], progress: Reporter) -> FamiliarPatches | None:
    """Patches of CTs and of those that priors saw before; None where a prior does not say what it saw."""
    from CTSuperResolutionLib.trust.familiar_patches import FamiliarPatches
    from CTSuperResolutionLib.volume.reading import read_volume

    seen = {folder: FamiliarPatches.load(folder) for folder in priors}  # first, for one may be damaged
    if any(known is None and (folder / CONFIG).is_file() for folder, known in seen.items()):
        return None

    def scans() -> Iterator[Volume]:
        for ct in cts:
            progress.check()
            yield read_volume(ct)

    return FamiliarPatches.joined([FamiliarPatches.of(scans()), *seen.values()])


def _make(folder: Path, created: list[Path]) -> None:
    """Make a folder with its parents, and list those that were not there, innermost first."""
    missing = [part for part in (folder, *folder.parents) if not part.exists()]
    created += missing
    folder.mkdir(parents=True, exist_ok=True)


def _chosen_values(options: argparse.Namespace) -> dict[str, Any]:
    names = (*PLAN, *IMAGES)
    chosen = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    if not 0 <= chosen.get("seed", 0) <= MAX_SEED:
        raise JobError(f"--seed is to be from 0 to {MAX_SEED}, not {chosen['seed']}.")
    for name, value in chosen.items():
        least_is_zero = name in (*SHARES, "dead_leaves", "seed")
        if (name != "seed" and not (value >= 0 if least_is_zero else value > 0)) or value > MOST:
            least = "0 or more" if least_is_zero else "above 0"
            raise JobError(f"--{name.replace('_', '-')} is to be {least} and at most {MOST:g}, not {value}.")
    if chosen.get("crop", 32) % 8 or chosen.get("crop", 32) < 32:
        raise JobError(f"--crop is to be a multiple of 8 from 32 up, not {chosen['crop']}.")
    if chosen.get("validation_fraction", 0) > 0.5:
        raise JobError("--validation-fraction is to be at most 0.5.")
    if chosen.get("projections", 0) > 1:
        raise JobError("--projections is a share, at most 1.")
    return chosen


class _TrainingProgress:
    """Training steps as progress: of all steps, or of the seconds where a time is given."""

    def __init__(self, progress: Reporter, minutes: float | None) -> None:
        self._progress = progress
        self._seconds = None if minutes is None else max(1, round(60 * minutes))
        self._started = time.monotonic()
        self._done: int | None = None
        self._noted = 0.0

    def __call__(self, step: int, steps: int, loss: float) -> None:
        if self._done is None:
            self._progress.plan({"train": self._seconds or 0.5 * (steps - step + 1)})
            first = step - 1 if self._seconds is None else 0
            self._progress.stage("train", steps - first if self._seconds is None else self._seconds)
            self._done, self._started = first, time.monotonic()
        now = step if self._seconds is None else int(time.monotonic() - self._started)
        self._progress.advance(now - self._done)
        self._done = now
        if time.monotonic() - self._noted >= 10:
            self._noted = time.monotonic()
            self._progress.note(f"step {step} of at most {steps}: loss {loss:.4f}")
