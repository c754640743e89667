"""The name that a result is saved under, and its page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.fixture
def save_as(panel, scan, state, child, finish, monkeypatch, slicer):
    """save_as(path): the user types that into the dialog; gives the proposed name and the files written to."""
    import qt

    child("does well")
    panel.ui.applyButton.click()
    finish()
    proposed, written = [], []

    def ask(parent, title, name, kinds):
        proposed.append(name)
        return str(typed[-1])

    typed = []
    monkeypatch.setattr(qt.QFileDialog, "getSaveFileName", ask)
    monkeypatch.setattr(panel.panel.result, "save_nrrd", written.append)

    def save(path: Path) -> tuple[str, list[Path]]:
        typed.append(path)
        panel.ui.saveNrrdButton.click()
        return proposed[-1], written

    return save


def test_a_dot_in_the_typed_name_does_not_cut_it_off(save_as, tmp_path):
    assert save_as(tmp_path / "CT 1.25mm")[1] == [tmp_path / "CT 1.25mm.nrrd"]
    assert save_as(tmp_path / "CT.NRRD")[1][1:] == [tmp_path / "CT.NRRD"]


def test_a_file_that_the_dialog_did_not_ask_for_is_not_replaced_unasked(save_as, tmp_path, monkeypatch, slicer):
    (tmp_path / "CT.nrrd").touch()
    answers = [False, True]
    monkeypatch.setattr(slicer.util, "confirmYesNoDisplay", lambda text: answers.pop(0))
    assert save_as(tmp_path / "CT")[1] == []
    assert save_as(tmp_path / "CT")[1] == [tmp_path / "CT.nrrd"]


def test_the_proposed_name_is_one_that_a_file_can_have(save_as, state, tmp_path):
    state.srVolume.SetName("4: CT a/b SR 2×")
    assert save_as(tmp_path / "x.nrrd")[0] == "4- CT a-b SR 2x.nrrd"


def test_the_page_is_saved_with_what_the_result_carries(save_as, panel, state, tmp_path):
    report = {"note": "Not for diagnosis.", "added": {"lung": {"rms_hu": 31.26}}}
    state.srVolume.SetAttribute("CTSuperResolution.report", json.dumps(report))
    panel.panel.result.save_page(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Not for diagnosis." in page and "<td>lung</td><td>31.3</td>" in page
    assert panel.ui.saveLabel.text == f"Saved to {tmp_path / 'page.html'}."
    panel.panel.result.save_page(tmp_path / "missing" / "page.html")
    assert "could not be saved" in panel.ui.saveLabel.text


def test_the_summary_says_how_large_the_error_may_be(save_as, state):
    from CTSuperResolutionPanel.sections import result

    width = {"mean_half_width_hu": 38.4, "above_150_percent": 3.2}
    found = {"lung": width, "soft_tissue": width | {"mean_half_width_hu": 12.1}, "bone": None, "everywhere": width}
    interval = {"by_tissue": found, "test_gain_db": 3.28}
    state.srVolume.SetAttribute("CTSuperResolution.report", json.dumps({"error_interval": interval}))
    said = result.summary(state.srVolume)
    assert "Tested within the scan's own slices, 3.3 dB nearer to what was measured than cubic" in said
    assert "±38 HU in lung, ±12 HU in soft tissue, ±38 HU in all; 3 % of the voxels" in said
    state.srVolume.SetAttribute("CTSuperResolution.report", json.dumps({"error_interval": None}))
    assert "Nine of ten" not in result.summary(state.srVolume)
