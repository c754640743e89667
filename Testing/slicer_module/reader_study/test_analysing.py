"""The analysis from the panel: who may do it, what runs in the background, and what is shown of it."""

from __future__ import annotations

import json
import shutil

import pytest
from CTReaderStudyPanel.analysing.section import PACKAGES
from fake_process import FakeProcess
from slicer_host.fixtures import ROOT

from CTSuperResolutionLib.study.reading import open_reading


@pytest.fixture
def read_study(make_study):
    """A study that Ada has read in part, and Ben not at all."""
    folder = make_study("prefer")
    with open_reading(folder, "Ada") as reading:
        for _trial in range(2):
            reading.answer({"choice": "left", "strength": 1}, 3.0)
    return folder


@pytest.fixture
def section(module, installed, slicer):
    module.ui.analyseButton.click()
    return module.panel.analyse


@pytest.fixture
def ui(section, slicer):
    return slicer.util.childWidgetVariables(section.widget)


@pytest.fixture
def process(section, monkeypatch):
    return FakeProcess.of(section.command, monkeypatch)


def test_a_check_says_how_far_every_reader_is(section, ui, read_study, wait_until):
    ui.folderEdit.currentPath = str(read_study)
    ui.checkButton.click()
    assert ui.commandProgressBar.visible and not ui.checkButton.enabled
    wait_until(lambda: not section.command.busy, 60)
    assert "all 6 images are whole" in ui.resultLabel.text
    assert "<td align='left'>Ada</td><td align='left'>2 of 3</td>" in ui.resultLabel.text
    assert "<td align='left'>Ben</td><td align='left'>0 of 3</td>" in ui.resultLabel.text


def test_an_edited_log_is_said_in_one_sentence(section, ui, read_study, wait_until):
    log = read_study / "reader" / "answers" / "Ada" / "answers.jsonl"
    log.write_text(log.read_text().replace("left", "right"))
    ui.folderEdit.currentPath = str(read_study)
    ui.checkButton.click()
    wait_until(lambda: not section.command.busy, 60)
    assert "was edited or damaged at line 2" in ui.messageLabel.text and ui.resultLabel.text == ""


def test_without_the_key_nothing_can_be_analysed(ui, read_study, tmp_path):
    ui.folderEdit.currentPath = str(read_study)
    assert ui.analyseButton.enabled and not ui.keyLabel.visible
    ui.folderEdit.currentPath = str(shutil.copytree(read_study / "reader", tmp_path / "alone"))
    assert not ui.analyseButton.enabled and ui.checkButton.enabled and ui.keyLabel.visible


def test_what_was_found_is_shown_and_the_report_can_be_opened(section, ui, read_study, process, slicer, monkeypatch):
    import qt

    opened = []
    monkeypatch.setattr(qt.QDesktopServices, "openUrl", opened.append, raising=False)
    ui.folderEdit.currentPath = str(read_study)
    ui.analyseButton.click()
    report = read_study.with_name("study-report")
    assert process.command.arguments[2:6] == ("study", "analyse", str(read_study), str(report))
    row = {"task": "prefer", "question": "Which is <sharper>?", "comparison": "sr against cubic", "measure": "share"}
    row |= {"estimate": 0.71, "low": 0.5, "high": None, "p": 0.01, "p Holm": 0.0204}
    process.say(event="result", files={"report.html": str(report / "report.html")}, comparisons=[row])
    process.end()
    assert "0.71 [0.50, –]" in ui.resultLabel.text and "0.020" in ui.resultLabel.text
    assert "Which is &lt;sharper&gt;?" in ui.resultLabel.text
    ui.openButton.click()
    assert [url.toLocalFile() for url in opened] == [str(report / "report.html")]
    ui.folderEdit.currentPath = str(read_study.parent)
    assert not ui.openButton.visible and ui.resultLabel.text == ""


def test_packages_that_are_missing_can_be_installed(section, ui, read_study, process, slicer, monkeypatch):
    asked = []
    monkeypatch.setattr(slicer.util, "pip_install", asked.append)
    monkeypatch.setattr("CTReaderStudyPanel.analysing.section.is_slicers", lambda python: True)
    ui.folderEdit.currentPath = str(read_study)
    ui.analyseButton.click()
    process.say(event="error", kind="input", problem="The analysis needs pandas and statsmodels", remedies=[])
    process.end(2)
    assert "needs pandas and statsmodels" in ui.messageLabel.text
    ui.installButton.click()
    assert asked == ['"pandas" "statsmodels>=0.14"'] and section.command.busy  # and it tries again
    process.end(1)


def test_the_packages_are_those_of_the_librarys_extra():
    (line,) = (each for each in (ROOT / "pyproject.toml").read_text().splitlines() if each.startswith("study = ["))
    assert tuple(json.loads(line[len("study = ") :].partition("]")[0] + "]")) == PACKAGES


def test_a_command_can_be_cancelled_and_ends_with_the_module(section, ui, read_study, process, application):
    ui.folderEdit.currentPath = str(read_study)
    ui.analyseButton.click()
    ui.cancelButton.click()
    assert process.written == b"cancel\n" and section.command.busy
    process.say(event="error", kind="cancelled", message="Cancelled.", exit_code=3)
    process.end(3)
    assert ui.messageLabel.text == "Cancelled." and not ui.cancelButton.visible
    ui.analyseButton.click()
    application.unload("CTReaderStudy")
    assert process.abandoned


@pytest.mark.slow
def test_a_study_that_was_read_by_keys_is_analysed(reader, make_study, module, installed, slicer, wait_until):
    """From the first key to the report."""
    folder = make_study("prefer")
    for name in ("Ada", "Ben"):
        reader.open(folder, name)
        for _trial in range(3):
            reader.answer()
        reader.ui.leaveButton.click()
    section = module.panel.analyse
    ui = slicer.util.childWidgetVariables(section.widget)
    ui.folderEdit.currentPath = str(folder)
    ui.analyseButton.click()
    wait_until(lambda: not section.command.busy, 300)
    assert section.command.message == "", section.command._output.log
    assert "share preferred" in ui.resultLabel.text and (folder.with_name("study-report") / "report.html").is_file()
