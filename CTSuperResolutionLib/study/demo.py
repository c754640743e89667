"""Demonstration of a reader study: generated phantoms, cubic against super-resolved, and readers who are simulated.

The readers do not look: what they prefer is drawn from a known :class:`.Effect`. Everything else is as for people: the
same design, the same way through the trials, the same log, the same analysis.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from CTSuperResolutionLib.job.events import Progress, WithinStep
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.study.design import design_study, require_new
from CTSuperResolutionLib.study.plan import Plan
from CTSuperResolutionLib.study.protocol import DEGRADED, SIDES
from CTSuperResolutionLib.study.reading import open_reading
from CTSuperResolutionLib.study.simulation import CASE_SD, CUTS, Effect
from CTSuperResolutionLib.study.study_files import READER_PART, Key, Trial, read_key, read_study

CASES = 6
READERS = ("Reader 1", "Reader 2", "Reader 3", "Reader 4", "Reader 5", "Reader 6")
VISITOR = "You"  # whoever opens the demonstration in 3D Slicer, and is not simulated
EFFECT = Effect(share=0.85, reader_sd=0.2, case_sd=0.2)
SHAPE, SPACING = (32, 48, 48), 4.0  # of a phantom: voxels (z, y, x), mm
SCALE = "2"
NOISE_HU = 5.0  # of the simulated scans
MARKS_AN_IMAGE = {"cubic": {"missing": 1.0, "invented": 0.1}, "sr": {"missing": 0.3, "invented": 0.4}}
START = 1_700_000_000.0  # when the simulated reading begins, seconds since 1970
CRITERIA = (
    "Visually sharp reproduction of the lung parenchyma",
    "Visually sharp reproduction of large and medium sized pulmonary vessels",
)


def demo_plan(folder: Path, seed: int, progress: Progress) -> Plan:
    """Generate the phantoms, degrade and super-resolve them into a folder, and plan a study of the results."""
    from CTSuperResolutionLib.degradation.simulation import degrade
    from CTSuperResolutionLib.job.refinement import whole_factors
    from CTSuperResolutionLib.phantom import thorax
    from CTSuperResolutionLib.pipeline import super_resolve
    from CTSuperResolutionLib.volume.writing import write_volume

    method = Method(scale=SCALE, preset="preview", seed=seed)
    cases = {}
    progress.stage("phantoms", CASES)
    for number in range(1, CASES + 1):
        truth = thorax(shape=SHAPE, spacing=SPACING, seed=seed + number)
        scan = degrade(truth, whole_factors(method.scale), noise_hu=NOISE_HU, seed=seed + number)
        result = super_resolve(scan, method, progress=WithinStep(progress))
        images = {}
        for name, volume in (("cubic", result.cubic), ("sr", result.sr)):
            images[name] = f"phantom{number}-{name}.nrrd"
            write_volume(volume, folder / images[name])
        cases[f"phantom{number}"] = {"images": images}
        progress.advance()
    values = {
        "title": "Demonstration: generated phantoms and simulated readers",
        "readers": (*READERS, VISITOR),
        "methods": ["cubic", "sr"],
        "cases": cases,
        "tasks": [
            {"name": "preference", "kind": "forced_choice", "criteria": ["Which image shows the lung better?"]},
            {"name": "grading", "kind": "grading", "criteria": CRITERIA},
            {"name": "marks", "kind": "marking", "criteria": ["Where is something invented or missing?"]},
        ],
        "reading": {"most_trials": 20, "washout_hours": 0},  # a visitor does not come back in two weeks
        "window": [-600, 1500],
        "repeats": 0.2,
        "attention_checks": 2,
        "seed": seed,
    }
    return Plan.from_dict(values, folder)


def make_demo(folder: Path, *, seed: int = 0, progress: Progress | None = None) -> None:
    """Make the study in a new folder, and have it read to the end.

    Raises:
        JobError: the folder is in use or cannot be written.
    """
    progress = progress or Progress()
    require_new(folder)
    with tempfile.TemporaryDirectory() as private:
        design_study(demo_plan(Path(private), seed, progress), folder, progress=progress)
    study = read_study(folder)
    key = read_key(folder, study)
    cases = SimulatedCases(EFFECT, list(key.truth), np.random.default_rng([seed, 1]))
    progress.stage("reading", len(READERS))
    for number, name in enumerate(READERS):
        read_to_end(folder, name, SimulatedReader(EFFECT, cases, np.random.default_rng([seed, 2, number])), key)
        progress.advance()


class SimulatedCases:
    """What is true of the cases, for all readers alike.

    Args:
        effect: how they are drawn. names: of the cases. rng: what draws.
    """

    def __init__(self, effect: Effect, names: list[str], rng: np.random.Generator) -> None:
        self.quality = dict(zip(names, rng.normal(0, CASE_SD, len(names)), strict=True))
        self.preference = dict(zip(names, rng.normal(0, effect.case_sd, len(names)), strict=True))


class SimulatedReader:
    """A reader who prefers "sr" to "cubic" as an :class:`.Effect` says, and whatever was not degraded to what was.

    Args:
        effect: what the reader is drawn from. cases: what is read. rng: what draws.
    """

    def __init__(self, effect: Effect, cases: SimulatedCases, rng: np.random.Generator) -> None:
        self._cases, self._rng = cases, rng
        self._shift = effect.shift + rng.normal(0, effect.reader_sd)

    def answer(self, trial: Trial, known: Mapping[str, Any]) -> dict[str, Any]:
        """What the reader says of a trial of which the key says this."""
        case, methods = known["case"], known["methods"]
        if trial.task.kind == "forced_choice":
            if DEGRADED in methods:
                return {"choice": SIDES[1 - methods.index(DEGRADED)]}
            prefers = self._shift + self._cases.preference[case] + self._rng.normal() > 0
            return {"choice": SIDES[methods.index("sr" if prefers else "cubic")]}
        if trial.task.kind == "grading":
            return {"grades": {criterion: self._grade(case, methods[0]) for criterion in trial.task.criteria}}
        marks = [
            {"kind": kind, "voxel": [int(self._rng.integers(n)) for n in trial.shape]}
            for kind, mean in MARKS_AN_IMAGE[methods[0]].items()
            for _ in range(self._rng.poisson(mean))
        ]
        return {"marks": marks}

    def seconds(self) -> float:
        """How long the reader looks."""
        return float(self._rng.lognormal(math.log(12), 0.4))

    def _grade(self, case: str, method: str) -> int:
        if method == DEGRADED:
            return 1
        score = self._cases.quality[case] + self._rng.normal()
        if method == "sr":
            score += self._shift + self._cases.preference[case]
        return 1 + sum(bool(score > cut * math.hypot(CASE_SD, 1)) for cut in CUTS)


def read_to_end(folder: Path, name: str, reader: SimulatedReader, key: Key) -> None:
    """Have a study read by a simulated reader who waits for every washout, by a clock that is set.

    Args:
        folder: of the study. name: of the reader. reader: who answers. key: which tells the reader what is shown.

    Raises:
        JobError: the study cannot be read, or an answer cannot be saved.
    """
    now = START
    with open_reading(folder / READER_PART, name, lambda: now) as reading:
        while (trial := reading.trial) is not None:
            if reading.opens_session and reading.answered:
                now += reading.study.reading.washout_hours * 3600
            seconds = reader.seconds()
            now += seconds + 1
            reading.answer(reader.answer(trial, key.trials[trial.id]), seconds)
