"""ctsr study: from a plan to a report by the command line, and the demonstration."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from CTSuperResolutionLib.cli.main import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def study(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run ``ctsr study`` here: the exit code and what it wrote."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main(["study", *map(str, arguments)])
        return code, *capfd.readouterr()

    return run


def test_a_plan_becomes_a_study_that_checks(study: Run, plan_values: tuple[dict, Path], tmp_path: Path) -> None:
    values, folder = plan_values
    (folder / "plan.json").write_text(json.dumps(values))
    code, out, err = study("design", folder / "plan.json", tmp_path / "made")
    assert code == 0, err
    assert f"{tmp_path}/made/key.json: for you alone" in out
    code, out, err = study("check", tmp_path / "made" / "reader")  # as a reader has it, without the key
    assert code == 0 and "images are whole" in out and "Ada" in out
    (tmp_path / "made" / "reader" / "images" / "x.nrrd").touch()
    assert study("check", tmp_path / "made")[0] == 0
    code, _, err = study("design", folder / "plan.json", tmp_path / "made")
    assert code == 2 and "is not empty; choose a new folder" in err
    code, _, err = study("analyse", tmp_path / "made", tmp_path / "report")
    assert code == 2 and "needs the answers of two readers" in err and not (tmp_path / "report").exists()


def test_simulate_says_power_and_coverage_of_every_design(study: Run) -> None:
    code, out, err = study(
        "simulate", "--readers", 3, 5, "--cases", 10, "--studies", 20, "--share", 0.8, "--events", "json"
    )
    assert code == 0, err
    result = json.loads(out.splitlines()[-1])
    assert [(row["readers"], row["cases"]) for row in result["designs"]] == [(3, 10), (5, 10)]
    assert all(0.5 < row["coverage"] <= 1 for row in result["designs"]) and result["truth"] == 0.8
    code, out, _ = study("simulate", "--task", "grading", "--readers", 3, "--cases", 10, "--studies", 5)
    assert code == 0 and "coverage" in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["desing", "a", "b"], "There is no action of ctsr study 'desing'; the nearest is 'design'"),
        (["design", "a"], "'ctsr study design' takes 2 paths and not 1"),
        (["design", "no.json", "b"], "The plan no.json cannot be read"),
        (["check", "nowhere"], "There is no nowhere/study.json that can be read"),
        (["simulate", "--task", "marking"], "There is no kind of task that is simulated 'marking'"),
        (["simulate", "--studies", "0"], "--studies is to be 1 or more, not 0."),
        (["simulate", "--share", "1"], "The expected share is to be between 0 and 1"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(study: Run, arguments: list[str], sentence: str) -> None:
    code, out, err = study(*arguments)
    assert code == 2 and out == ""
    (line,) = err.strip().splitlines()[-1:]
    assert sentence in line


@pytest.mark.slow
def test_the_demonstration_recovers_what_was_put_in(study: Run, tmp_path: Path) -> None:
    code, out, err = study("demo", tmp_path, "--events", "json")
    assert code == 0, err
    result = json.loads(out.splitlines()[-1])
    assert set(result["files"]) >= {"report.html", "report.md", "answers.csv", "comparisons.png", "vgc.png"}
    share = result["put_in"]["share preferred"]
    area = result["put_in"]["VGC area"]
    rows = {(row["measure"], row["question"]): row for row in result["comparisons"]}
    for (measure, question), row in rows.items():
        if not question.startswith("mean"):
            assert row["low"] <= (share if measure == "share preferred" else area) <= row["high"]
    assert len(rows) == 4
    key = json.loads((tmp_path / "study" / "key.json").read_text())
    methods = {image["method"] for image in key["images"].values()}
    assert methods == {"cubic", "sr", "degraded"} and len(key["truth"]) == 6
    for name in key["images"]:
        assert (tmp_path / "study" / "reader" / "images" / name).is_file()
