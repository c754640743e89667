"""Reading a study by keys: what is saved, where it goes on, and what keeps it from going on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from CTReaderStudyPanel.reading.sitting import State
from keyboard_reader import MODULE_FILE

HERE = Path(__file__).parent


def test_every_kind_of_task_is_answered_by_keys_alone(reader, make_study, entries):
    folder = make_study("grade", "prefer", "like", "mark")
    reader.open(folder)
    kinds = []
    while reader.sitting.state is not State.DONE:
        kinds.append(reader.trial.task.kind)
        reader.answer()
    saved = entries(folder)
    assert len(saved) == len(kinds) == reader.sitting.reading.total >= 10
    assert set(kinds) == {"grading", "forced_choice", "reference_rating", "marking"}
    for kind, entry in zip(kinds, saved, strict=True):
        if kind == "grading":
            assert sorted(entry["answer"]["grades"].values()) == [3, 4, 5]
        elif kind == "reference_rating":
            assert entry["answer"] == {"grades": {"As the reference?": 3}}
        elif kind == "forced_choice":
            assert entry["answer"] == {"choice": "left", "strength": 2}
        else:
            assert entry["answer"] == {"marks": []}
    assert "Thank you" in reader.ui.noticeLabel.text


def test_the_trials_show_the_images_that_they_name_in_their_places(reader, make_study, key, slicer):
    """The images are told apart by a value that each method has in a corner."""
    folder = make_study("prefer", "like")
    reader.open(folder)
    value = {"cubic": 100, "sr": 101, "truth": 102}
    sides = set()
    while reader.sitting.state is not State.DONE:
        methods = key(folder)["trials"][reader.trial.id]["methods"]
        corner = [slicer.util.arrayFromVolume(volume)[0, 0, 0] for volume in reader.volumes()]
        assert corner == [value[method] for method in methods]
        sides.add(tuple(methods))
        reader.answer()
    assert {("cubic", "sr"), ("sr", "cubic"), ("truth", "sr")} <= sides


def test_nothing_is_saved_before_everything_is_answered(reader, make_study, entries):
    folder = make_study("grade")
    reader.open(folder)
    first = reader.trial
    reader.press("3", "4", "Space")
    assert reader.trial == first and entries(folder) == []
    assert reader.ui.noticeLabel.text == "Answer everything before you go on."
    reader.press("Up", "1", "5", "Space")  # back to the second question, and both once more
    assert entries(folder)[0]["answer"]["grades"] == dict(zip(first.questions, (3, 1, 5), strict=True))


def test_the_question_and_what_is_wrong_are_seen_in_a_low_window_too(reader, make_study, slicer, wait_until):
    window = slicer.util.mainWindow()
    size = window.width, window.height
    window.resize(1280, 500)
    try:
        reader.open(make_study("chest"))
        rows = reader.section._form._list()
        reader.press(*["Down"] * 10, "3")
        wait_until(lambda: not rows[-1].widget.visibleRegion().isEmpty(), what="the last question's coming into view")
        assert reader.ui.progressLabel.visibleRegion().isEmpty()
        reader.press("Space")
        label = reader.ui.noticeLabel
        wait_until(lambda: not label.visibleRegion().isEmpty(), what="the message's coming into view")
    finally:
        window.resize(*size)


def test_digits_of_a_longer_scale_go_together(reader, make_study, entries):
    folder = make_study("like")
    reader.open(folder)
    reader.press("1", "0", "Space")
    reader.settle()
    reader.press("9", "1", "Space")  # 91 is not on the scale: the last digit counts
    reader.settle()
    assert [entry["answer"]["grades"]["As the reference?"] for entry in entries(folder)] == [10, 1]


def test_equal_asks_for_no_strength(reader, make_study, entries):
    folder = make_study("prefer")
    reader.open(folder)
    reader.press("Right", "3", "Down", "Space")
    assert entries(folder)[0]["answer"] == {"choice": "tie"}


def test_a_reading_goes_on_where_slicer_was_killed(reader, make_study, entries, application, wait_until):
    """In another process, some answers are given by keys; it is killed with an answer on the screen."""
    if application.is_real or os.name == "nt":
        pytest.skip("another Slicer is started and killed by a signal")
    folder = make_study("prefer", "grade")
    child = subprocess.Popen([sys.executable, str(HERE / "reading_child.py"), str(folder), "3"], stdout=subprocess.PIPE)
    with child:
        assert child.stdout.readline().strip() == b"3 answered"
        reader.open(folder)
        assert "is open in another window; close it there first" in reader.ui.problemLabel.text
        assert reader.sitting.state is State.CLOSED
        child.send_signal(signal.SIGKILL)
        child.wait(10)
    assert len(entries(folder)) == 3
    reader.open(folder)
    assert reader.sitting.reading.answered == 3
    assert reader.trial == [trial for found in reader.sitting.reading.study.sessions["Ada"] for trial in found][3]
    reader.answer()
    assert [entry["position"] for entry in entries(folder)] == [0, 1, 2, 3]


def test_leaving_and_coming_back_goes_on_with_the_same_case(reader, make_study, entries, slicer):
    folder = make_study("prefer")
    reader.open(folder)
    reader.answer()
    second = reader.trial
    reader.press("Left")
    slicer.util.selectModule("Data")
    assert reader.sitting.state is State.CLOSED
    slicer.util.selectModule("CTReaderStudy")
    reader.open(folder)
    assert reader.trial == second
    reader.press("Space")
    assert "Answer everything" in reader.ui.noticeLabel.text  # the choice from before is not there any more
    assert len(entries(folder)) == 1


def test_two_readers_have_logs_of_their_own(reader, make_study, entries):
    folder = make_study("prefer")
    for name, choice in (("Ada", "Left"), ("Ben", "Down"), ("Ada", "Down")):
        reader.open(folder, name)
        reader.press(choice, "1", "Space")
        reader.settle()
        reader.ui.leaveButton.click()
    assert [entry["answer"]["choice"] for entry in entries(folder, "Ada")] == ["left", "tie"]
    assert [entry["answer"]["choice"] for entry in entries(folder, "Ben")] == ["tie"]


def test_the_last_answer_can_be_taken_back(reader, make_study, entries):
    folder = make_study("prefer")
    reader.open(folder)
    first = reader.trial
    reader.answer()
    reader.press("Backspace")
    reader.settle()
    assert reader.trial == first and len(entries(folder, kind="undo")) == 1
    reader.press("Down", "Space")
    reader.settle()
    assert [entry["answer"]["choice"] for entry in entries(folder)] == ["left", "tie"]
    assert reader.sitting.reading.answered == 1
    for _time in range(2):  # the second time there is nothing to take back
        reader.press("Backspace")
        reader.settle()
    assert reader.trial == first and not reader.ui.undoButton.enabled


def test_a_study_may_forbid_to_go_back(reader, make_study):
    reader.open(make_study("prefer", undo=False))
    reader.answer()
    assert not reader.ui.undoButton.enabled
    second = reader.trial
    reader.press("Backspace")
    assert reader.trial == second and reader.sitting.reading.answered == 1


def test_a_pause_hides_the_images_and_counts_no_time(reader, make_study, entries, monkeypatch):
    folder = make_study("prefer")
    now = [100.0]
    monkeypatch.setattr(reader.sitting._watch, "_clock", lambda: now[0])
    reader.open(folder)
    now[0] += 4
    reader.press("P")
    assert reader.volumes() == [None, None] and "Paused" in reader.ui.noticeLabel.text
    now[0] += 1000
    reader.press("Left", "Space")  # goes on, and chooses nothing
    assert None not in reader.volumes()
    now[0] += 2
    reader.press("Left", "1", "Space")
    assert entries(folder)[0]["seconds"] == 6
    assert len(entries(folder, kind="pause")) == len(entries(folder, kind="resume")) == 1
    reader.settle()
    now[0] += 3
    reader.answer()
    assert entries(folder)[1]["seconds"] == 3


def test_a_pause_hides_marks_too(reader, make_study, slicer):
    reader.open(make_study("mark"))
    bounds = [0.0] * 6
    reader.volumes()[0].GetRASBounds(bounds)
    reader.press("M")
    reader.section.views.on_click([(low + high) / 2 for low, high in zip(bounds[::2], bounds[1::2], strict=True)])
    (made,) = [n for n in slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode") if n.GetNumberOfControlPoints()]
    assert made.GetNthControlPointLabel(0) == "missing 1" and made.GetDisplayNode().GetVisibility()
    reader.press("P")
    assert not made.GetDisplayNode().GetVisibility()
    reader.press("Space")
    assert made.GetDisplayNode().GetVisibility() and made.GetNumberOfControlPoints() == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk without room is played by /dev/full")
def test_a_full_disk_loses_nothing_but_says_so(reader, make_study, entries, monkeypatch):
    folder = make_study("prefer")
    reader.open(folder)
    first = reader.trial
    log = reader.sitting.reading._log
    disk, full = log._descriptor, os.open("/dev/full", os.O_RDWR)
    log._descriptor = full
    reader.press("Left", "1", "Space")
    assert reader.trial == first and entries(folder) == []
    assert "could not be saved" in reader.ui.noticeLabel.text and "No space left" in reader.ui.noticeLabel.text
    log._descriptor = disk
    os.close(full)
    reader.press("Space")  # the answer is still on the screen
    reader.settle()
    assert entries(folder)[0]["answer"] == {"choice": "left", "strength": 1}
    assert reader.trial != first and "could not be saved" not in reader.ui.noticeLabel.text


def test_training_says_what_was_expected_before_it_goes_on(reader, make_study, entries):
    folder = make_study("prefer", training=True)
    reader.open(folder)
    first = reader.trial
    assert reader.ui.taskLabel.text.startswith("Practice: ")
    reader.press("Left", "1", "Space")
    assert reader.sitting.state is State.FEEDBACK and reader.ui.noticeLabel.text == first.feedback
    assert None not in reader.volumes()  # to look at once more
    reader.press("Space")
    reader.settle()
    assert reader.trial != first and not reader.ui.taskLabel.text.startswith("Practice")


def test_a_session_ends_with_a_break_and_the_next_one_waits_for_its_washout(reader, make_study, monkeypatch):
    folder = make_study("grade", washout_hours=24)
    reader.open(folder)
    for _trial in range(3):
        reader.press(*"345", "Space")
        reader.settle()
    assert reader.sitting.state is State.BREAK and reader.volumes() == [None]
    assert "Session 2 of 2 has 3 cases" in reader.ui.noticeLabel.text
    reader.press("Space")
    assert reader.sitting.state is State.BREAK and "come back in 24.0 hours" in reader.ui.noticeLabel.text
    import time

    later = time.time() + 25 * 3600
    monkeypatch.setattr(reader.sitting.reading, "_clock", lambda: later)
    reader.press("Space")
    reader.settle()
    assert reader.sitting.state is State.LOOKING


def test_what_is_typed_as_a_comment_is_no_answer(reader, make_study, entries):
    folder = make_study("prefer")
    reader.open(folder)
    reader.press("T", "P", "1", "Space", "A", "Enter", "Left", "2", "Space")
    assert entries(folder)[0]["answer"] == {"choice": "left", "strength": 2, "comment": "p1 a"}
    reader.settle()
    assert reader.ui.commentEdit.text == ""


@pytest.mark.parametrize("damage", ["study", "image", "folder"])
def test_what_cannot_be_read_is_said_in_a_sentence(reader, make_study, damage, tmp_path):
    folder = make_study("prefer")
    if damage == "study":
        (folder / "reader" / "study.json").write_text("{")
        expected = "is damaged; copy it again"
    elif damage == "image":
        next((folder / "reader" / "images").iterdir()).unlink()
        expected = "1 of 6 images are missing"
    else:
        folder = tmp_path / "nothing"
        expected = "There is no"
    reader.open(folder)
    assert expected in reader.ui.problemLabel.text
    assert reader.sitting.state is State.CLOSED


def test_a_damaged_image_is_said_when_its_case_comes(reader, make_study):
    folder = make_study("prefer")
    for path in (folder / "reader" / "images").iterdir():
        path.write_bytes(path.read_bytes()[:-7])
    reader.ui.folderEdit.currentPath = str(folder)
    reader.ui.readerComboBox.setCurrentIndex(1)
    reader.ui.startButton.click()
    reader.press("Space")
    reader._wait(lambda: "could not be loaded" in reader.ui.noticeLabel.text)
    assert reader.ui.leaveButton.enabled


def test_an_edited_log_is_not_gone_on_with(reader, make_study, entries):
    folder = make_study("prefer")
    reader.open(folder)
    reader.answer()
    reader.ui.leaveButton.click()
    log = folder / "reader" / "answers" / "Ada" / "answers.jsonl"
    log.write_text(log.read_text().replace('"left"', '"tie"'))
    reader.open(folder)
    assert "was edited or damaged at line 2" in reader.ui.problemLabel.text


def test_the_folder_is_remembered_and_the_name_is_not(reader, make_study, application, slicer):
    folder = make_study("prefer")
    reader.open(folder)
    reader.ui.leaveButton.click()
    application.unload("CTReaderStudy")
    widget = application.load(MODULE_FILE)
    ui = slicer.util.childWidgetVariables(widget.panel.read.widget)
    assert ui.folderEdit.currentPath == str(folder)
    assert ui.readerComboBox.currentIndex == 0 and ui.readerComboBox.findText("Ada") > 0
    ui.startButton.click()
    assert ui.problemLabel.text == "Choose your name."
