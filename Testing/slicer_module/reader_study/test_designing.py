"""The design of a study from the panel: what it takes, what it lacks, and the study that comes of it."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from CTSuperResolutionPanel.scene.result_volumes import CUBIC, MEASURED, REPORT, ROLE, SCAN_REFERENCE, SR
from fake_process import FakeProcess

from CTSuperResolutionLib.study.plan import Plan
from CTSuperResolutionLib.study.study_files import read_key, read_study
from CTSuperResolutionLib.volume.reading import read_volume
from CTSuperResolutionLib.volume.writing import write_volume


@pytest.fixture
def case_folder(images, tmp_path):
    """A folder for each of four cases, with images named after their methods."""
    folder, cases = images
    for name, case in cases.items():
        (tmp_path / "cases" / name).mkdir(parents=True)
        for method, file in case["images"].items():
            shutil.copy(folder / file, tmp_path / "cases" / name / f"{method}.nrrd")
    return tmp_path / "cases"


@pytest.fixture
def section(module, installed):
    module.ui.designButton.click()
    return module.panel.design


@pytest.fixture
def ui(section, slicer):
    return slicer.util.childWidgetVariables(section.widget)


@pytest.fixture
def filled(ui, case_folder, tmp_path):
    """The form with all that is necessary."""
    ui.casesEdit.currentPath = str(case_folder)
    ui.readersEdit.text = "Ada,  Ben Ott"
    ui.studyEdit.currentPath = str(tmp_path / "made")
    return ui


def test_a_study_is_made_of_a_folder_of_cases(section, filled, tmp_path, wait_until, case_folder):
    ui = filled
    assert ui.casesLabel.text == "4 cases with cubic, sr, truth" and not ui.lacksLabel.visible
    ui.markingCheckBox.click()
    ui.ratingCheckBox.click()
    ui.strengthSpinBox.value = 3
    ui.lockCheckBox.click()
    ui.planeComboBox.setCurrentIndex(1)
    ui.washoutSpinBox.value = 2
    ui.designButton.click()
    assert not ui.designButton.enabled
    wait_until(lambda: not section.command.busy, 60)
    assert section.command.message == ""
    assert f"{tmp_path}/made/reader" in ui.resultLabel.text
    study = read_study(tmp_path / "made")
    assert list(study.sessions) == ["Ada", "Ben Ott"] and study.window == (-600, 1500)
    assert (study.reading.washout_hours, study.reading.window_locked, study.reading.plane) == (48, False, "coronal")
    assert ui.tasksButton.text == "Tasks: preference, grading, likeness, marks"
    assert {task.kind for task in study.tasks.values()} == {"grading", "forced_choice", "reference_rating", "marking"}
    assert study.tasks["preference"].strength == 3 and len(study.tasks["grading"].criteria) == 11
    key = read_key(tmp_path / "made", study)
    assert key.methods == ("cubic", "sr") and key.reference == "truth" and len(key.truth) == 4
    plan = tmp_path / "made-plan.json"
    assert Plan.read(plan).readers == ("Ada", "Ben Ott")
    assert not [path for path in (tmp_path / "made").rglob("*plan*")]


def test_a_study_that_was_made_here_can_be_read_here(section, filled, reader, module, tmp_path, wait_until, entries):
    filled.gradingCheckBox.click()
    filled.designButton.click()
    wait_until(lambda: not section.command.busy, 60)
    module.ui.readButton.click()
    reader.open(tmp_path / "made", "Ben Ott")
    reader.press("Left", "Space")
    assert len(entries(tmp_path / "made", "Ben Ott")) == 1


@pytest.fixture
def result(slicer, make_scan):
    """result("chest", preset="draft"): a scan, unless there is one of that name, and a result of it in the scene."""

    def make(scan_name: str, preset: str = "balanced", roles=(SR, CUBIC, MEASURED), step: float = 1) -> dict:
        scan = slicer.mrmlScene.GetFirstNodeByName(scan_name) or make_scan(name=scan_name)
        report = json.dumps({"job": {"preset": preset}, "step": step})
        placed = {}
        for number, role in enumerate(roles):
            array = np.random.default_rng(0).integers(-1000, 1000, (8, 9, 10)).astype(np.int16)
            array[0, 0, 0] = 10 * step + number  # tells them apart
            node = placed[role] = slicer.util.addVolumeFromArray(array, name=f"{scan_name} {role}")
            node.SetAttribute(ROLE, role)
            node.SetAttribute(REPORT, report)
            node.SetNodeReferenceID(SCAN_REFERENCE, scan.GetID())
        return placed

    return make


def test_a_study_is_made_of_the_results_in_the_scene(section, ui, result, tmp_path, wait_until, job_folders):
    """The newest result of a scan counts. Volumes and plan are in a private folder meanwhile, which goes."""
    result("chest", step=9)
    result("chest", step=1)
    result("head/neck", step=2)
    result("tried", roles=("preview-sr", "preview-cubic"))
    ui.sceneCheckBox.click()
    ui.readersEdit.text, ui.studyEdit.currentPath = "Ada, Ben", str(tmp_path / "made")
    ui.attentionSpinBox.value = 0
    assert ui.casesLabel.text == "2 cases with cubic, measured, sr" and ui.methodsEdit.text == "cubic, sr"
    assert not ui.lacksLabel.visible and not ui.casesEdit.enabled
    ui.designButton.click()
    assert job_folders()[0].stat().st_mode & 0o077 == 0 and not ui.designButton.enabled
    wait_until(lambda: section._export is None and not section.command.busy, 60)
    assert section.command.message == "" and "The study is made" in ui.resultLabel.text
    assert job_folders() == [] and not section.plan_file.exists()
    study = read_study(tmp_path / "made")
    key = read_key(tmp_path / "made", study)
    assert set(key.truth) == {"chest", "head_neck"}
    value = {"chest": 10, "head_neck": 20}
    for name, image in key.images.items():
        volume = read_volume(study.image_path(name), allow_unusual=True)
        assert volume.array[0, 0, 0] == value[image["case"]] + {"sr": 0, "cubic": 1}[image["method"]]


def test_results_of_several_presets_are_methods_of_their_own(section, ui, result):
    result("chest", "draft")
    result("chest", "best", step=2)
    ui.sceneCheckBox.click()
    assert ui.casesLabel.text == "1 case with cubic, measured, sr-best, sr-draft"


def test_taking_volumes_from_the_scene_can_be_cancelled(section, ui, result, tmp_path, job_folders):
    result("chest")
    ui.sceneCheckBox.click()
    ui.readersEdit.text, ui.studyEdit.currentPath = "Ada, Ben", str(tmp_path / "made")
    ui.designButton.click()
    assert ui.cancelButton.visible
    ui.cancelButton.click()
    assert ui.resultLabel.text == "Cancelled." and ui.designButton.enabled
    assert job_folders() == [] and not (tmp_path / "made").exists()


def test_a_scene_without_results_is_said_to_have_none(section, ui, result, module):
    ui.sceneCheckBox.click()
    assert "The scene has no results" in ui.lacksLabel.text
    result("chest")
    module.ui.readButton.click()
    module.ui.designButton.click()  # where the scene is looked at again
    assert ui.casesLabel.text == "1 case with cubic, measured, sr"


@pytest.mark.parametrize(
    ("take", "sentence"),
    [
        ("cases", "Choose the folder of cases."),
        ("no cases", "There are no cases in"),
        ("readers", "Write down the readers' names."),
        ("names", "The reader's name 'A/b' has other signs than letters"),
        ("tasks", "Choose a task."),
        ("reference", "Rating against a reference needs one; choose the reference."),
        ("images", "have no two methods in common"),
        ("methods", "compares two methods or more, each named once"),
        ("method", "Not every case has an image called lanczos; choose of cubic, sr, truth."),
        ("study", "Choose the folder in which the study is made."),
    ],
)
def test_what_is_lacking_is_said(filled, case_folder, take, sentence):
    ui = filled
    assert ui.designButton.enabled
    if take == "cases":
        ui.casesEdit.currentPath = ""
    elif take == "no cases":
        ui.casesEdit.currentPath = str(case_folder / "case0")
    elif take == "readers":
        ui.readersEdit.text = " , "
    elif take == "names":
        ui.readersEdit.text = "A/b"
    elif take == "tasks":
        ui.choiceCheckBox.click()
        ui.gradingCheckBox.click()
    elif take == "reference":
        ui.ratingCheckBox.click()
        ui.referenceComboBox.setCurrentIndex(0)
    elif take == "methods":
        ui.methodsEdit.text = "cubic, sr, cubic"
    elif take == "method":
        ui.methodsEdit.text = "cubic, lanczos"
    elif take == "images":
        for method in ("sr", "truth"):
            (case_folder / "case2" / f"{method}.nrrd").unlink()
        ui.casesEdit.currentPath = ""
        ui.casesEdit.currentPath = str(case_folder)
    else:
        ui.studyEdit.currentPath = ""
    assert sentence in ui.lacksLabel.text and not ui.designButton.enabled


def test_other_methods_can_be_compared(filled, section):
    filled.referenceComboBox.setCurrentIndex(0)
    filled.methodsEdit.text = "truth, cubic,sr"
    plan = section._form.to_dict()
    assert plan["methods"] == ["truth", "cubic", "sr"] and plan["reference"] == ""


def test_what_the_library_refuses_is_shown(section, filled, tmp_path, wait_until):
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "mine.txt").touch()
    filled.designButton.click()
    wait_until(lambda: not section.command.busy, 60)
    assert "is not empty; choose a new folder for the study" in filled.messageLabel.text


def test_images_that_do_not_look_like_ct_are_used_where_that_is_ticked(
    section, filled, case_folder, tmp_path, wait_until
):
    """The box is there once the sentence names it."""
    for path in case_folder.rglob("*.nrrd"):
        volume = read_volume(path)
        write_volume(volume.with_array(np.abs(volume.array) + 100), path)
    assert not filled.allowUnusualCheckBox.visible
    filled.designButton.click()
    wait_until(lambda: not section.command.busy, 60)
    assert "none is negative" in filled.messageLabel.text and "“Use it all the same”" in filled.messageLabel.text
    assert filled.allowUnusualCheckBox.visible
    filled.allowUnusualCheckBox.click()
    filled.designButton.click()
    wait_until(lambda: not section.command.busy, 60)
    assert section.command.message == "" and read_study(tmp_path / "made").title and filled.allowUnusualCheckBox.visible


def test_images_on_other_grids_are_brought_onto_one_where_that_is_ticked(section, filled, monkeypatch):
    process = FakeProcess.of(section.command, monkeypatch)
    filled.regridCheckBox.click()
    filled.designButton.click()
    assert "--regrid" in process.command.arguments
    process.end(1)


def test_the_power_of_this_many_readers_and_cases_and_of_more_is_shown(section, filled, monkeypatch):
    process = FakeProcess.of(section.command, monkeypatch)
    filled.shareSpinBox.value = 65
    filled.simulateButton.click()
    given = " ".join(process.command.arguments)
    assert "study simulate --task forced_choice --share 0.65 --reader-sd 0.3 --case-sd 0.5" in given
    assert "--readers 2 3 4 --cases 4 6 8" in given
    designs = [{"readers": r, "cases": c, "power": r / 10 + c / 100} for r in (2, 3, 4) for c in (4, 6, 8)]
    process.say(event="result", action="simulate", task="forced_choice", truth=0.65, designs=designs)
    process.end()
    assert (
        "<td align='left'>3 readers</td><td align='left'>0.34</td><td align='left'>0.36</td>" in filled.powerLabel.text
    )


def test_the_form_begins_with_what_the_library_would_take(section, filled):
    from CTSuperResolutionLib.study.protocol import Reading

    reading = section._form.to_dict()["reading"]
    assert Reading.from_dict(reading) == Reading()
    assert json.dumps(section._form.to_dict())
