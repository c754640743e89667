"""How a scan was acquired, measured once in all of it, and what jobs on parts of it are told."""

from __future__ import annotations

import json

import numpy as np
import pytest
from CTSuperResolutionPanel.process.acquisition_inspector import AcquisitionInspector
from CTSuperResolutionPanel.process.process import Ended

from CTSuperResolutionLib.volume.acquisition_tags import measured_widths

INSPECT = AcquisitionInspector.inspect
MEASURED = {"source": "measured", "family": "box", "fwhm_mm": 4.6, "measured_mm": 4.6, "measured_error_mm": 0.4}
ANSWER = {"z": MEASURED | {"measured_profiles": 700}, "y": {"source": "spacing", "family": "lanczos"}, "x": {}}


class Asked:
    """A process that says what the test wants."""

    abandoned = False

    def start(self, command, *, on_output, on_error_output, on_end):
        self.command, self.say, self.end = command, on_output, on_end

    def answer(self, found=ANSWER):
        self.say(json.dumps({"event": "result", "job": {"point_spread": found}}).encode() + b"\n")
        self.end(Ended(normal=True, code=0))

    def abandon(self):
        self.abandoned = True


@pytest.fixture
def asked():
    """The processes so far."""
    return []


@pytest.fixture
def inspector(asked, monkeypatch, slicer, job_folders):
    monkeypatch.setattr(AcquisitionInspector, "inspect", INSPECT)
    made = AcquisitionInspector(make_process=lambda: asked.append(Asked()) or asked[-1])
    yield made
    made.stop()


@pytest.fixture
def inspect(inspector, python, asked, wait_until):
    """inspect(scan): the process that was asked about it."""

    def begin(scan):
        count = len(asked)
        inspector.inspect(scan, python)
        wait_until(lambda: len(asked) > count, what="the process")
        return asked[-1]

    return begin


def test_what_was_measured_in_the_whole_is_told_with_every_part(inspector, inspect, make_scan, python, asked):
    scan, news = make_scan(matrix=np.diag([1.0, 1.0, 5.0, 1.0])), []
    inspector.on_change(lambda: news.append(inspector.inspects(scan)))
    process = inspect(scan)
    assert inspector.inspects(scan) and inspector.entries(scan) == {}
    process.answer()
    assert news == [False]
    z, y, x = measured_widths(inspector.entries(scan)["CTSR_measured"])
    assert (z.family, z.fwhm, z.error, z.profiles) == ("box", 4.6, 0.4, 700) and y is None and x is None
    assert inspector.thickness(scan, None).sentence == "slices 4.6 ± 0.4 mm thick as measured"
    assert inspector.thickness(scan, 6.0).sentence == "slices 6.0 mm thick as set, 4.6 ± 0.4 measured"
    inspector.inspect(scan, python)
    assert len(asked) == 1  # once for every volume


def test_a_volume_that_changed_is_looked_at_again(inspector, inspect, make_scan, slicer):
    scan = make_scan()
    inspect(scan).answer()
    slicer.util.arrayFromVolume(scan)[:] += 1
    slicer.util.arrayFromVolumeModified(scan)
    assert inspector.entries(scan) == {}
    inspect(scan).answer()
    scan.SetSpacing(1.0, 1.0, 3.0)
    assert inspector.entries(scan) == {}


def test_another_volume_ends_a_look(inspector, inspect, make_scan):
    first, second = make_scan(), make_scan(name="Another")
    process = inspect(first)
    inspect(second)
    assert process.abandoned and inspector.inspects(second) and not inspector.inspects(first)


@pytest.mark.parametrize("found", [None, [], {"z": None, "y": None, "x": None}])
def test_a_look_without_an_answer_leaves_it_to_the_job(inspector, inspect, make_scan, python, asked, found):
    scan = make_scan()
    inspect(scan).answer(found)
    assert not inspector.inspects(scan) and measured_widths(inspector.entries(scan).get("CTSR_measured", "")) in (
        None,
        (None, None, None),
    )
    assert "thickness unknown" in inspector.thickness(scan, None).sentence
    inspector.inspect(scan, python)
    assert len(asked) == 1  # it would fail again


def test_parts_wait_for_the_look(panel, scan, state, monkeypatch):
    panel.logic.hardware.machine = {"gpus": [], "notes": []}
    monkeypatch.setattr(AcquisitionInspector, "inspects", lambda self, volume: True)
    state.useRoi = False
    panel.panel.refresh()
    assert panel.ui.applyButton.enabled and "being measured" in panel.ui.acquisitionLabel.text
    assert not panel.ui.previewButton.enabled


@pytest.mark.slow
def test_a_preview_has_the_acquisition_of_the_whole_scan(
    panel, state, slicer, library_python, monkeypatch, wait_until, finish, job_folders
):
    """A ball in air, in slices with a triangular profile of 4.5 mm; inside it, where the preview is, is no edge."""
    from CTSuperResolutionPanel import install
    from CTSuperResolutionPanel.scene.previews import find_previews

    from CTSuperResolutionLib.degradation.point_spread import PointSpread, psf_matrix

    monkeypatch.setattr(install, "ensure", lambda parent=None: library_python)
    monkeypatch.setattr(install, "chosen_python", lambda: library_python)
    monkeypatch.setattr(AcquisitionInspector, "inspect", INSPECT)
    z, y, x = np.ogrid[-48:48:192j, -40:40:60j, -40:40:60j]
    fine = np.where(x**2 + y**2 + z**2 < 36**2, 40.0, -1000.0)
    array = np.tensordot(psf_matrix(PointSpread("triangle", 4.5), (19, 5.0), (192, 0.5)), fine, axes=(1, 0))
    node = slicer.util.addVolumeFromArray(array.astype(np.int16), name="Ball")
    node.SetSpacing(80 / 59, 80 / 59, 5.0)
    state.inputVolume, state.scale, state.preset, state.previewVoxels = node, "2", "preview", 64
    state.settings = '{"views": 6, "iterations": 3, "gaussians": 500, "max_gaussians": 1000}'
    slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode").SetCrosshairRAS([40.0, 40.0, 45.0])
    wait_until(lambda: panel.logic.hardware.machine is not None, 60, "the look at the machine")
    wait_until(lambda: "as measured" in panel.ui.acquisitionLabel.text, 60, "the look at the scan")
    panel.panel.refresh()
    panel.ui.previewButton.click()
    finish(120)
    (preview,) = find_previews()
    assert preview.report["acquisition"]["z"]["source"] == "measured"
    assert preview.report["acquisition"]["z"]["fwhm_mm"] == pytest.approx(4.5, rel=0.05)
    assert preview.report["slices"].startswith("slices 4.5 ± ")
