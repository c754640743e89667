"""A reader's way through a study: where it goes on, what it takes and refuses, and how long it has to wait."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.study.reading import StudyReading, open_reading
from CTSuperResolutionLib.study.study_files import Trial


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1e9

    def __call__(self) -> float:
        return self.now


def any_answer(trial: Trial) -> dict:
    return {
        "grading": {"grades": dict.fromkeys(trial.task.criteria, 3)},
        "reference_rating": {"grades": dict.fromkeys(trial.task.criteria, 7)},
        "forced_choice": {"choice": "left", "strength": 2},
        "marking": {"marks": [{"voxel": [1, 2, 3], "kind": "missing"}]},
    }[trial.task.kind]


def advance(reading: StudyReading, clock: Clock) -> None:
    trial = reading.trial
    assert trial is not None
    if reading.opens_session:
        clock.now += 25 * 3600
    clock.now += 5
    reading.answer(any_answer(trial), 4.0)


@pytest.fixture
def folder(study_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(study_folder / "reader", tmp_path / "reader"))


def test_a_reading_goes_on_where_it_was_left_to_the_end(folder: Path) -> None:
    clock = Clock()
    with open_reading(folder, "Ada", clock) as reading:
        shown = []
        for _ in range(5):
            shown.append(reading.trial)
            advance(reading, clock)
    while True:
        with open_reading(folder, "Ada", clock) as reading:
            for _ in range(40):
                if reading.trial is None:
                    break
                shown.append(reading.trial)
                advance(reading, clock)
            if reading.trial is None:
                break
    assert shown == [trial for session in reading.study.sessions["Ada"] for trial in session]
    assert reading.answered == reading.total == len(shown)
    with open_reading(folder, "Ada", clock) as reading, pytest.raises(JobError, match="there is nothing left to read"):
        reading.answer({}, 1.0)


def test_the_progress_of_a_session_is_told(folder: Path) -> None:
    clock = Clock()
    with open_reading(folder, "Ada", clock) as reading:
        sessions = reading.study.sessions["Ada"]
        for number, session in enumerate(sessions, 1):
            for answered in range(len(session)):
                assert reading.session == (number, len(sessions), answered, len(session))
                advance(reading, clock)
        assert reading.session == (len(sessions), len(sessions), len(sessions[-1]), len(sessions[-1]))
        assert reading.seconds_of_answers == [4.0] * reading.total
        assert reading.folder == folder / "answers" / "Ada"


def test_the_last_answer_is_taken_back_once_and_only_in_its_session(folder: Path) -> None:
    clock = Clock()
    with open_reading(folder, "Ada", clock) as reading:
        with pytest.raises(JobError, match="There is no answer that can be taken back"):
            reading.undo()
        advance(reading, clock)
        second = reading.trial
        advance(reading, clock)
        reading.undo()
        assert reading.trial == second and reading.answered == 1
        with pytest.raises(JobError, match="only the last one"):
            reading.undo()
    with open_reading(folder, "Ada", clock) as reading:
        assert reading.trial == second
        advance(reading, clock)
        while not reading.opens_session:
            advance(reading, clock)
        with pytest.raises(JobError, match="only the last one of this session"):
            reading.undo()


def test_a_session_waits_until_none_of_its_patients_was_seen_lately(folder: Path) -> None:
    clock = Clock()
    with open_reading(folder, "Ben", clock) as reading:
        seen: set[str] = set()
        while True:
            trial = reading.trial
            assert trial is not None
            if reading.opens_session:
                ahead = reading.study.sessions["Ben"][[s[0] for s in reading.study.sessions["Ben"]].index(trial)]
                if seen & {t.patient for t in ahead}:
                    break
            seen.add(trial.patient)
            clock.now += 5
            reading.answer(any_answer(trial), 4.0)
        with pytest.raises(JobError, match=r"seen less than 24 hours ago; come back in 2[34]\.\d hours\."):
            reading.require_washout()
        with pytest.raises(JobError, match="come back in"):
            reading.answer(any_answer(trial), 4.0)
        clock.now += 24 * 3600 + 1
        reading.require_washout()
        reading.answer(any_answer(trial), 4.0)


@pytest.mark.parametrize(
    ("kind", "answer", "sentence"),
    [
        ("grading", {"grades": {}}, "takes a grade for each of its criteria"),
        ("grading", 6, "The grade 6 for 'Visually .*' is outside the scale; choose 1 to 5."),
        ("grading", 0, "is outside the scale; choose 1 to 5"),
        ("grading", True, "is outside the scale"),
        ("grading", 2.5, "is outside the scale"),
        ("reference_rating", 8, "is outside the scale; choose 1 to 7"),
        ("forced_choice", {"choice": "up"}, "The choice 'up' is none of the task 'prefer'; choose left, right, tie."),
        ("forced_choice", {"choice": "left"}, "The strength None is outside the scale; choose 1 to 3."),
        ("forced_choice", {"choice": "left", "strength": 4}, "The strength 4 is outside the scale"),
        ("forced_choice", {"choice": "tie", "strength": 1}, "asks for no strength of this choice"),
        ("marking", {"marks": [{"voxel": [0, 0, 12], "kind": "invented"}]}, "lies outside the image; mark it again"),
        ("marking", {"marks": [{"voxel": [0, 0, 1], "kind": "odd"}]}, "A mark has a voxel z,y,x and a kind"),
        ("marking", {}, "takes a list of marks; give an empty one"),
    ],
)
def test_answers_outside_the_scale_are_refused(folder: Path, kind: str, answer, sentence: str) -> None:
    reading = open_reading(folder, "Ada")
    trial = next(t for session in reading.study.sessions["Ada"] for t in session if t.task.kind == kind)
    if not isinstance(answer, dict):
        answer = {"grades": dict.fromkeys(trial.task.criteria, answer)}
    with pytest.raises(JobError, match=sentence):
        trial.task.check_answer(answer, trial.shape)
    trial.task.check_answer(any_answer(trial), trial.shape)


def test_what_is_missing_or_foreign_is_said(folder: Path) -> None:
    with pytest.raises(JobError, match="There is no reader of this study 'Adam'; "):
        open_reading(folder, "Adam")
    with open_reading(folder, "Ada") as reading:
        pass
    shutil.copytree(folder / "answers" / "Ada", folder / "answers" / "Ben")
    with (
        pytest.raises(JobError, match=r"is of reader Ada in study .*, not of Ben in .*; put it where it belongs"),
        open_reading(folder, "Ben"),
    ):
        pass
    reading.study.image_path(next(iter(reading.study.images))).unlink()
    with pytest.raises(JobError, match=r"1 of \d+ images are missing in .*; copy the study again"):
        open_reading(folder, "Ada")


def test_the_readers_part_of_the_library_imports_the_standard_library_only() -> None:
    """For Slicer's process imports it."""
    code = (
        "import sys; before = set(sys.modules); import CTSuperResolutionLib.study.reading\n"
        "import CTSuperResolutionLib.study.schedule\n"
        "print(*sorted({n.partition('.')[0] for n in set(sys.modules) - before} - set(sys.stdlib_module_names)))"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["CTSuperResolutionLib"]


def test_no_room_of_the_study_loads_torch() -> None:
    code = (
        "import importlib, pkgutil, sys, CTSuperResolutionLib.study as room\n"
        "for m in pkgutil.iter_modules(room.__path__): importlib.import_module(room.__name__ + '.' + m.name)\n"
        "print('torch' in sys.modules, len([n for n in sys.modules if n.startswith(room.__name__)]) > 8)"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
