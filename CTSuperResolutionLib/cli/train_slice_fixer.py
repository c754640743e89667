"""ctsr train-slice-fixer: train the network that repairs slices of reconstructions from few views.

CTs are scanned in turn with few views and reconstructed, at many stages of both backbones, before the training begins.
Goes on from where it was stopped when OUT holds a checkpoint. OUT gets the fixer, training.json and log.jsonl; name it
as --prior of 'ctsr reconstruct --method diffnr'. With --base the fixer is trained on a Stable Diffusion model such as
SD-Turbo, a folder as diffusers saves it, of which nothing is copied into OUT; that takes
pip install 'ctsuperresolution[turbo]'.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from CTSuperResolutionLib.diffusion.slice_fixer.words import WORDS
from CTSuperResolutionLib.errors import JobError, unknown
from CTSuperResolutionLib.job.events import Reporter
from CTSuperResolutionLib.job.method import Method

LIMITS = {"minutes": (0, 1e5), "steps": (1, 1e8), "batch": (1, 1024), "learning_rate": (1e-7, 1), "channels": (4, 128)}
OF_SMALL, OF_BASE = ("channels", "up_down"), ("word",)  # options of either form of the network alone
BASE_LEARNING_RATE = 1e-4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    option = parser.add_argument
    several: dict[str, Any] = {"nargs": "+", "default": [], "action": "extend"}
    option("cts", nargs="+", metavar="CT", help="CTs, files or folders of files")
    option("--leave-out", **several, metavar="NAME", help="CTs not to train on, without suffix")
    option("--out", required=True, type=Path, metavar="DIR", help="folder for the fixer and its checkpoint")
    option("--scans", type=int, default=24, metavar="N", help="simulated scans to train on in this call (default 24)")
    option("--minutes", type=float, help="end after that time, the scans not counted")
    option("--device", default="auto", help="auto, cpu or cuda (default auto)")
    option("--up-down", action="store_true", help="work on slices of twice their size, as DiffNR's authors do")
    option("--base", type=Path, metavar="PATH", help="Stable Diffusion model to train on, in place of a small network")
    option("--word", metavar="WORD", help=f"part of the body that these CTs show, told to a base (default {WORDS[0]})")
    for name, kind, text in (
        ("steps", int, "optimiser steps in all, those of earlier calls included"),
        ("batch", int, "slices a step"),
        ("learning-rate", float, f"at its highest (with a base {BASE_LEARNING_RATE:g})"),
        ("channels", int, "width of the small network"),
        ("seed", int, "of all random numbers"),
    ):
        option(f"--{name}", type=kind, metavar="N" if kind is int else "X", help=text)


def execute(options: argparse.Namespace, progress: Reporter) -> dict[str, Any]:
    """Run the command."""
    _require_one_form(options)
    names = (*LIMITS, "seed", "word")
    chosen = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    Method(seed=chosen.get("seed", 0), device=options.device)
    for name, (low, high) in LIMITS.items():
        if name in chosen and not low <= chosen[name] <= high:
            said = f"from {low:g} to {high:g}, not {chosen[name]:g}"
            raise JobError(f"--{name.replace('_', '-')} is to be {said}.")
    if not 1 <= options.scans <= 100_000:
        raise JobError(f"--scans is to be from 1 to 100000, not {options.scans}.")
    if options.base is not None:
        chosen = {"base": str(options.base), "learning_rate": BASE_LEARNING_RATE, **chosen}
    progress.stage("prepare", options.scans)
    from CTSuperResolutionLib import machine
    from CTSuperResolutionLib.diffusion.training.datasets import choose_cts
    from CTSuperResolutionLib.reconstruction.slice_fixer_training import SliceFixerPlan, SliceFixerTraining
    from CTSuperResolutionLib.reconstruction.training_slices import training_slices
    from CTSuperResolutionLib.volume.ct_files import stem

    cts = choose_cts([Path(place) for place in options.cts], options.leave_out)
    if not cts:
        raise JobError("There is no CT left to train on; leave fewer out.")
    out, plan = options.out, SliceFixerPlan(**chosen, up_down=options.up_down)
    try:
        out.mkdir(parents=True, exist_ok=True)
        training = SliceFixerTraining(out, plan, [stem(ct) for ct in cts], machine.choose_device(options.device))
        # Other scans than those of earlier calls.
        slices = training_slices(cts, options.scans, (plan.seed, training.first), progress)
        gain = training.run(slices, _TrainingProgress(progress, training.first, plan.minutes))
    except OSError as error:
        place = Path(str(error.filename or out))
        if error.errno is None or not (out in (place, *place.parents) or place in out.parents):
            raise  # a library's own
        raise JobError(f"{place} cannot be written ({error.strerror or error}); choose another --out.") from None
    return {"folder": str(out.resolve()), "training_gain_db": round(gain, 2)}


def describe(found: dict[str, Any]) -> str:
    """The result as a terminal shows it."""
    return f"slices of the training are nearer to the truth by {found['training_gain_db']:.2f} dB\n  {found['folder']}"


def _require_one_form(options: argparse.Namespace) -> None:
    """Refuse options that are of the other form of the network than is trained."""
    small = options.base is None
    for name in OF_BASE if small else OF_SMALL:
        if getattr(options, name):
            whose = (
                "a base alone; give --base or leave it out"
                if small
                else "the small network alone; leave it or --base out"
            )
            raise JobError(f"--{name.replace('_', '-')} is for {whose}.")
    if options.word is not None and options.word not in WORDS:
        raise unknown("word", options.word, WORDS)


class _TrainingProgress:
    """Training steps as progress: of all steps, or of the seconds where a time is given."""

    def __init__(self, progress: Reporter, first: int, minutes: float | None) -> None:
        self._progress, self._first = progress, first
        self._seconds = None if minutes is None else max(1, round(60 * minutes))
        self._started: float | None = None
        self._done = 0

    def __call__(self, step: int, steps: int, loss: float) -> None:
        if self._started is None:
            self._started = time.monotonic()
            self._progress.stage("train", self._seconds or steps - self._first)
        now = step - self._first if self._seconds is None else int(time.monotonic() - self._started)
        self._progress.advance(now - self._done)
        self._done = now
