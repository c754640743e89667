"""A small study for the tests of this room."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from CTSuperResolutionLib.study.design import design_study
from CTSuperResolutionLib.study.plan import Plan
from CTSuperResolutionLib.volume.volume import Volume
from CTSuperResolutionLib.volume.writing import write_volume

SHAPE = (8, 10, 12)
STRAIGHT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def write_case(folder: Path, name: str, methods: tuple[str, ...], seed: int) -> dict:
    """Volumes of one case, told apart by method in everything that a file may have: header, values, size, age."""
    rng = np.random.default_rng(seed)
    body = rng.normal(0, 100, SHAPE).astype(np.float32)
    for index, method in enumerate(methods):
        noise = rng.normal(0, 5 * index, SHAPE).astype(np.float32)
        volume = Volume(body + noise, (2.0, 1.0, 1.0), (5.0, 6.0, 7.0), STRAIGHT)
        write_volume(volume, folder / f"{name}-{method}.nrrd", metadata={"method": method})
    return {"images": {method: f"{name}-{method}.nrrd" for method in methods}}


@pytest.fixture(scope="session")
def plan_values(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, Path]:
    """Entries of a plan with every kind of task, two methods and a truth, and the folder of its images."""
    folder = tmp_path_factory.mktemp("plan")
    images = ("cubic", "sr", "truth")
    return {
        "title": "Chest",
        "readers": ["Ada", "Ben", "Cleo"],
        "methods": ["cubic", "sr"],
        "reference": "truth",
        "cases": {f"case{i}": write_case(folder, f"case{i}", images, i) for i in range(12)},
        "training": {"practice": write_case(folder, "practice", images, 99)},
        "tasks": [
            {"name": "grade", "kind": "grading", "criteria": "chest"},
            {"name": "prefer", "kind": "forced_choice", "criteria": ["Which is sharper?"], "tie": True, "strength": 3},
            {"name": "like", "kind": "reference_rating", "criteria": ["As the reference?"], "scale": 7},
            {"name": "mark", "kind": "marking", "criteria": ["What is invented or missing?"]},
        ],
        "reading": {"most_trials": 8, "washout_hours": 24},
        "window": [-600, 1500],
        "repeats": 0.2,
        "attention_checks": 3,
        "seed": 7,
    }, folder


@pytest.fixture(scope="session")
def plan(plan_values: tuple[dict, Path]) -> Plan:
    return Plan.from_dict(*plan_values)


@pytest.fixture(scope="session")
def study_folder(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study") / "made"
    design_study(plan, folder)
    return folder


@pytest.fixture
def simple_plan(plan_values: tuple[dict, Path]) -> Callable[..., Plan]:
    """A plan with other entries; None leaves one out."""

    def make(**others: object) -> Plan:
        values, folder = plan_values
        return Plan.from_dict({k: v for k, v in (values | others).items() if v is not None}, folder)

    return make
