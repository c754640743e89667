"""The design of a study: balanced, reproducible, and refused in one sentence where it cannot be."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.study.case_folders import cases_in, methods_of
from CTSuperResolutionLib.study.design import design_study
from CTSuperResolutionLib.study.images import on_grid, same_grid
from CTSuperResolutionLib.study.plan import Plan
from CTSuperResolutionLib.study.protocol import DEGRADED, Reading
from CTSuperResolutionLib.study.schedule import sessions_of
from CTSuperResolutionLib.study.study_files import read_key, read_study
from CTSuperResolutionLib.volume.volume import Volume

STRAIGHT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize("methods", [("cubic", "sr"), ("cubic", "sr", "truth")])
def test_every_reader_sees_every_case_by_every_method_once(
    simple_plan: Callable[..., Plan], methods: tuple[str, ...]
) -> None:
    plan = simple_plan(methods=list(methods), reference="truth")
    for reader in plan.readers:
        trials = [t for session in sessions_of(plan, reader) for t in session if t.role == "main"]
        looks = Counter((t.task, t.case, tuple(sorted(t.methods))) for t in trials)
        assert set(looks.values()) == {1}
        graded = Counter((t.case, t.methods) for t in trials if t.task == "grade")
        assert len(graded) == len(plan.cases) * len(methods)
        pairs = {tuple(sorted(t.methods)) for t in trials if t.task == "prefer"}
        assert len(pairs) == len(methods) * (len(methods) - 1) // 2
        for pair in pairs:  # sides are balanced
            left = Counter(t.methods[0] for t in trials if t.task == "prefer" and tuple(sorted(t.methods)) == pair)
            assert max(left.values()) - min(left.values()) <= 1


def test_no_session_sees_a_patient_twice_and_blocks_see_methods_equally_often(plan: Plan) -> None:
    for reader in plan.readers:
        for session in sessions_of(plan, reader):
            cases = [t.case for t in session if t.role in ("main", "repeat")]
            assert len(cases) == len(set(cases)) <= plan.reading.most_trials
    first = [t for s in sessions_of(plan, "Ada")[:2] for t in s if t.role == "main"]  # 12 cases of one block
    assert len({t.case for t in first}) == 12 and len({t.task for t in first}) == 1
    if first[0].task != "prefer":
        assert max(Counter(t.methods[-1] for t in first).values()) <= 6 + 6 * (first[0].task == "like")


def test_training_comes_first_and_repeats_and_checks_are_as_many_as_planned(plan: Plan) -> None:
    trials = [t for session in sessions_of(plan, "Ben") for t in session]
    roles = Counter(t.role for t in trials)
    assert roles == {"main": 12 * 7, "repeat": round(0.2 * 84), "attention": 3, "training": 3}
    assert [t.role for t in trials[:3]] == ["training"] * 3
    assert all((DEGRADED in t.methods) == (t.role in ("training", "attention")) for t in trials)


def test_orders_come_from_the_seed_and_differ_between_readers(simple_plan: Callable[..., Plan]) -> None:
    plan, same, other = simple_plan(), simple_plan(), simple_plan(seed=8)
    assert sessions_of(plan, "Ada") == sessions_of(same, "Ada")
    assert sessions_of(plan, "Ada") != sessions_of(plan, "Ben")
    assert sessions_of(plan, "Ada") != sessions_of(other, "Ada")
    questions = {t.questions for s in sessions_of(plan, "Ada") for t in s if t.task == "grade"}
    assert len(questions) > 5


def test_the_key_opens_the_study(study_folder: Path, plan: Plan) -> None:
    study = read_study(study_folder)
    key = read_key(study_folder, study)
    assert key.seed == plan.seed and key.methods == ("cubic", "sr")
    for reader, sessions in study.sessions.items():
        planned = [t for session in sessions_of(plan, reader) for t in session]
        made = [t for session in sessions for t in session]
        for a, b in zip(planned, made, strict=True):
            assert key.trials[b.id] == {"role": a.role, "case": a.case, "methods": list(a.methods)}
            assert [key.images[name] for name in b.images] == [{"case": a.case, "method": m} for m in a.methods]
            assert (b.feedback is not None) == (a.role == "training")


def test_images_hold_the_voxels_of_their_method(study_folder: Path, plan: Plan) -> None:
    import nrrd

    study = read_study(study_folder)
    key = read_key(study_folder, study)
    for name, image in key.images.items():
        if image["method"] != DEGRADED and image["case"] != "practice":
            (case,) = (c for c in plan.cases if c.name == image["case"])
            written, _ = nrrd.read(str(study.image_path(name)))
            given, _ = nrrd.read(str(case.images[image["method"]]))
            assert np.array_equal(written, given)


def test_bringing_onto_a_grid_keeps_a_linear_function() -> None:
    """Of the place in space: linear interpolation is exact for it, whatever the grids."""
    turned = (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    grid = Volume(np.zeros((6, 7, 8), np.float32), (1.5, 1.0, 1.2), (2.0, 3.0, 1.0), STRAIGHT)
    blank = Volume(np.zeros((20, 30, 31), np.float32), (1.0, 0.7, 0.9), (18.0, -2.0, -3.0), turned)

    def ramp(volume: Volume) -> np.ndarray:
        index = np.ndindex(volume.shape)
        points = np.array([volume.point(i) for i in index])
        return (points @ [1.0, -2.0, 3.0] + 5).reshape(volume.shape).astype(np.float32)

    moved = on_grid(blank.with_array(ramp(blank)), grid)
    assert moved.valid is not None and moved.valid.mean() > 0.9
    assert np.abs(moved.array - ramp(grid))[moved.valid].max() < 1e-3
    assert same_grid(moved, grid) and not same_grid(blank, grid)


def test_images_on_other_grids_are_refused_and_brought_onto_one_on_request(
    simple_plan: Callable[..., Plan], tmp_path: Path
) -> None:
    from CTSuperResolutionLib.volume.writing import write_volume

    plan = simple_plan()
    shifted = Volume(
        np.random.default_rng(0).normal(0, 99, (9, 12, 14)).astype(np.float32),
        (2.0, 1.0, 1.0),
        (4.0, 5.0, 5.0),
        STRAIGHT,
    )
    write_volume(shifted, tmp_path / "other.nrrd")
    plan.cases[3].images["sr"] = tmp_path / "other.nrrd"
    with pytest.raises(
        JobError, match=r"cubic and sr of the case 'case3' lie on different grids; .*brought onto the first"
    ):
        design_study(plan, tmp_path / "study")
    assert list(tmp_path.iterdir()) == [tmp_path / "other.nrrd"]
    design_study(plan, tmp_path / "study", regrid=True)
    assert len({p.stat().st_size for p in (tmp_path / "study" / "reader" / "images").iterdir()}) == 1


@pytest.mark.parametrize(
    ("entry", "value", "sentence"),
    [
        ("readers", ["Ada", "ada"], "Two readers are called 'Ada'; tell their names apart."),
        ("readers", ["../x"], "The reader's name '../x' has other signs .*; rename the reader."),
        ("methods", ["sr"], "A study compares at least two methods"),
        ("methods", ["sr", "other"], "The case 'case0' has no image of other; add it or leave the case out."),
        ("methods", ["sr", "degraded"], "calls its own blurred copies 'degraded'; give that method another name."),
        ("repeats", 1.5, "The share of repeats is to be from 0 to 1, not 1.5."),
        ("attention_checks", 13, "There can be 0 to 12 attention checks"),
        ("reference", None, "Rating against a reference needs one"),
        ("colour", 1, "There is no entry of a plan 'colour'"),
        ("tasks", [{"name": "x", "kind": "forced_choise", "criteria": ["?"]}], "the nearest is 'forced_choice'"),
        ("tasks", [{"name": "x", "kind": "grading", "criteria": "chets"}], "the nearest is 'chest'"),
        ("tasks", [{"name": "x", "kind": "grading", "criteria": ["a"], "scale": 1}], "scale is to be a whole number"),
        ("cases", {"a": {"images": dict.fromkeys(("cubic", "sr", "truth"), "x.nrrd")}}, "There is no image .*x.nrrd"),
        ("reading", {"washout_hours": -1}, "The washout of -1 hours is not possible"),
        ("reading", {"plane": "axiel"}, "There is no plane of reading 'axiel'; the nearest is 'axial'"),
        ("training", "nowhere", "The folder of cases .*nowhere cannot be read"),
        ("cases", "nowhere", "The folder of cases .*nowhere cannot be read"),
    ],
)  # fmt: skip
def test_a_plan_that_cannot_be_is_refused_in_a_sentence(
    simple_plan: Callable[..., Plan], entry: str, value: object, sentence: str
) -> None:
    with pytest.raises(JobError, match=sentence) as raised:
        simple_plan(**{entry: value})
    assert str(raised.value).endswith(".") and "\n" not in str(raised.value)


def test_a_folder_without_room_or_in_use_is_refused(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(JobError, match="is not empty; choose a new folder"):
        design_study(plan, Path(__file__).parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    with pytest.raises(JobError, match=r"has 0 MB free and the results may take .* MB; free some space"):
        design_study(plan, tmp_path / "study")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_leaves_nothing(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = Path.write_bytes

    def fails_later(path: Path, content: bytes) -> int:
        if len(list(path.parent.iterdir())) > 5:
            raise OSError(28, "No space left on device")
        return written(path, content)

    monkeypatch.setattr(Path, "write_bytes", fails_later)
    with pytest.raises(JobError, match=r"could not be written .*No space left on device.*; free some space"):
        design_study(plan, tmp_path / "study")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda text: text.replace('"version": 1', '"version": 9'), "is of version 9 and this program reads version 1"),
        (lambda text: text[: len(text) // 2], "is damaged; copy it again"),
        (lambda text: text.replace('"tasks"', '"tusks"'), "is damaged; copy the study again"),
        (lambda text: text.replace("ctsr-study", "other"), "is not the study of a reader study"),
    ],
)
def test_a_study_that_cannot_be_read_is_refused(study_folder: Path, tmp_path: Path, damage, sentence: str) -> None:
    text = (study_folder / "reader" / "study.json").read_text()
    (tmp_path / "study.json").write_text(damage(text))
    with pytest.raises(JobError, match=sentence):
        read_study(tmp_path)


def test_the_key_of_another_study_is_refused(study_folder: Path, plan: Plan, tmp_path: Path) -> None:
    design_study(plan, tmp_path / "other")
    with pytest.raises(JobError, match=r"is the key of study \w+ and .* is study \w+; put the key beside"):
        read_key(tmp_path / "other", read_study(study_folder))


def test_cases_may_be_folders_with_images_that_are_named_after_their_methods(
    plan_values: tuple[dict, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As jobs write them: with other files beside, which are no images; also by a relative path."""
    values, images = plan_values
    for number in range(3):
        place = tmp_path / "cases" / f"patient {number}"
        place.mkdir(parents=True)
        for method in ("cubic", "sr", "truth"):
            shutil.copy(images / f"case{number}-{method}.nrrd", place / f"{method}.nrrd")
        (place / "result.json").write_text("{}")
        (place / ".ctsr-staging").mkdir()
    (tmp_path / "cases" / "notes.txt").touch()
    (tmp_path / "cases" / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    others = {"cases": "cases", "training": {}, "attention_checks": 1}
    plan = Plan.from_dict(values | others, Path())
    assert [case.name for case in plan.cases] == ["patient 0", "patient 1", "patient 2"]
    assert all(path.is_file() for case in plan.cases for path in case.images.values())
    assert design_study(plan, tmp_path / "study")
    found = cases_in(tmp_path / "cases")
    assert methods_of(found) == ("cubic", "sr", "truth")
    (tmp_path / "cases" / "patient 1" / "cubic.nrrd").rename(tmp_path / "cases" / "patient 1" / "cubic.nii.gz")
    (tmp_path / "cases" / "patient 2" / "sr.nrrd").unlink()
    assert methods_of(cases_in(tmp_path / "cases")) == ("cubic", "truth")
    with pytest.raises(JobError, match="The case 'patient 2' has no image of sr; add it or leave the case out"):
        Plan.from_dict(values | others, tmp_path)
    with pytest.raises(JobError, match=r"There are no cases in .*; make a folder for each"):
        cases_in(tmp_path / "cases" / "empty")


def test_a_case_is_not_practised_and_read(plan_values: tuple[dict, Path]) -> None:
    values, folder = plan_values
    with pytest.raises(JobError, match="The case 'case0' is for training and for the study"):
        Plan.from_dict(values | {"training": {"case0": values["cases"]["case0"]}}, folder)


def test_what_readers_may_do_stands_in_their_part(simple_plan: Callable[..., Plan], tmp_path: Path) -> None:
    reading = {"most_trials": 9, "washout_hours": 1, "undo": False, "window_locked": False, "plane": "sagittal"}
    design_study(simple_plan(reading=reading), tmp_path / "study")
    assert read_study(tmp_path / "study").reading == Reading(9, 1.0, False, False, "sagittal")
