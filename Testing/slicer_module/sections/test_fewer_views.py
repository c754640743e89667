"""Fewer views: a CT scanned again with few views, its reconstructions listed with figures and compared."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import qt
import slicer
from CTSuperResolutionPanel.process.process import Ended
from CTSuperResolutionPanel.process.runner_state import RunnerState
from CTSuperResolutionPanel.process.views_task import ViewsGrid
from CTSuperResolutionPanel.scene import nrrd, voxel_geometry
from CTSuperResolutionPanel.scene.reconstructions import TRUTH, find_reconstructions
from CTSuperResolutionPanel.scene.result_volumes import NOTE, SCAN_REFERENCE, role_of

MATRIX = np.array([[0, -2.0, 0, 30], [2.0, 0, 0, -20], [0, 0, 2.0, 5], [0, 0, 0, 1]])
PSNR = {"fdk": 21.5, "asd-pocs": 33.25, "diffnr": 30.0}


class Library:
    """The processes of a task: each writes what the library would, of the values of the input, and says so.

    Attributes:
        commands: arguments of all that were started. manners: what a step does otherwise, by its name.
    """

    def __init__(self) -> None:
        self.commands: list[tuple[str, ...]] = []
        self.manners: dict[str, str] = {}
        self.written, self.abandoned = b"", False

    def start(self, command, *, on_output, on_error_output, on_end) -> None:
        self.on_output, self.on_end = on_output, on_end
        _m, _library, *arguments = command.arguments
        self.commands.append(tuple(arguments))
        kind, source, output, *options = arguments
        self.given = dict(zip(options[::2], options[1::2], strict=False))
        self.step = self.given.get("--method", kind)
        qt.QTimer.singleShot(0, lambda: self._work(Path(source), Path(output)))

    def write(self, data: bytes) -> None:
        self.written += data
        if self.manners.get(self.step) != "is deaf":
            self._end(3, event="error", kind="cancelled", message="Cancelled.")

    def abandon(self) -> None:
        self.abandoned = True

    def _work(self, source: Path, output: Path) -> None:
        manner = self.manners.get(self.step)
        self._say(event="progress", stage="fit", step=1, steps=2, fraction=0.5, elapsed_s=1, remaining_s=7)
        self._say(event="note", message="some pixels of 2 x 2 caught no photon.")
        if manner == "fails":
            self._end(2, event="error", kind="input", message="", problem="It was no CT.", remedies=[])
        elif manner is None:
            output.mkdir()
            report = self._simulate(source, output) if self.step == "simulate" else self._reconstruct(source, output)
            self._end(0, event="result", report=report)

    def _simulate(self, source: Path, output: Path) -> dict:
        header = nrrd.read_header(source)
        scan = np.zeros(header.shape, header.dtype)
        list(nrrd.read_into(source, header, scan))
        shape = tuple(map(int, self.given["--crop"].split(",")))
        middle = tuple(slice((n - m) // 2, (n - m) // 2 + m) for n, m in zip(scan.shape, shape, strict=True))
        list(nrrd.write(output / "truth.nrrd", scan[middle], np.eye(4)))
        return {}

    def _reconstruct(self, source: Path, output: Path) -> dict:
        assert self.given["--reference"] == str(source / "truth.nrrd")
        header = nrrd.read_header(source / "truth.nrrd")
        truth = np.zeros(header.shape, header.dtype)
        list(nrrd.read_into(source / "truth.nrrd", header, truth))
        list(nrrd.write(output / "reconstruction.nrrd", truth + np.int16(len(self.step)), np.eye(4)))
        scores = {"fdk": {"psnr_db": 1.0}, self.step: {"psnr_db": PSNR[self.step], "ssim_3d": 0.8767}}
        seconds = {"load": 9.0, "filter": 0.25, "fit": 1.5, "compare": 1.0, "write": 2.0}
        stages = {name: {"seconds": s} for name, s in seconds.items()}
        scan = {"views": 12, "beam": "parallel"}
        return {"note": "Not.", "job": {"method": self.step}, "scan": scan, "scores": scores, "stages": stages}

    def _say(self, **event) -> None:
        self.on_output(json.dumps(event).encode() + b"\n")

    def _end(self, code: int, **event) -> None:
        self._say(**event)
        self.on_end(Ended(normal=True, code=code))


@pytest.fixture
def section(panel):
    button = panel.panel.fewer_views.widget.fewerViewsCollapsibleButton
    assert button.collapsed  # until somebody wants it
    button.collapsed = False
    return panel.panel.fewer_views


@pytest.fixture
def ui(section):
    return slicer.util.childWidgetVariables(section.widget)


@pytest.fixture
def run(panel):
    return panel.logic.views


@pytest.fixture
def library(run, monkeypatch):
    found = Library()
    monkeypatch.setattr(run._command, "_make_process", lambda: found)
    return found


@pytest.fixture
def scan(panel, make_scan, state):
    """A scan of 35 x 24 x 26 voxels (z, y, x) of 2 mm, whose axes are not in order."""
    state.inputVolume = make_scan(shape=(35, 24, 26), matrix=MATRIX)
    panel.panel.refresh()
    return state.inputVolume


@pytest.fixture
def look(panel):
    """look(): the panel looks again, as it does soon after a choice."""
    return panel.panel.refresh


@pytest.fixture
def reconstruct(ui, run, look, wait_until):
    """reconstruct(): by the section's button, to the end."""

    def go() -> None:
        look()
        ui.startButton.click()
        wait_until(lambda: not run.busy)

    return go


def volumes() -> list:
    return slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")


def cells(ui) -> list[list[str]]:
    table = ui.reconstructionsTable
    return [[table.item(row, column).text() for column in range(table.columnCount)] for row in range(table.rowCount)]


def test_what_is_chosen_is_what_the_library_is_asked_for(ui, state, scan, library, reconstruct, look, job_folders):
    ui.viewsSpinBox.value = 12
    for combo, index in ((ui.beamComboBox, 1), (ui.photonsComboBox, 2), (ui.voxelsComboBox, 0)):
        combo.setCurrentIndex(index)
        combo.activated(index)
    for method in ("gaussians", "asd-pocs"):  # on, and off
        getattr(ui, f"{method}CheckBox").click()
    state.seed, state.device = 5, "cpu"
    assert state.fewViewsMethods == "fdk,gaussians,diffnr"
    library.manners = {"gaussians": "fails"}
    look()
    # In 64 voxels, 70 mm would be finer than the scan's 2 mm. Sides are cut to multiples of 8.
    assert ui.estimateLabel.text.startswith("24 × 24 × 32 voxels of 2 mm · about ")
    reconstruct()
    simulate, *others = library.commands
    given = dict(zip(simulate[3::2], simulate[4::2], strict=True))
    assert simulate[0] == "simulate" and given == {
        "--views": "12", "--geometry": "parallel", "--photons": "1000", "--seed": "5", "--iso": "2",
        "--crop": "32,24,24", "--events": "json",
    }  # fmt: skip
    assert [command[:1] + command[3:5] for command in others] == [
        ("reconstruct", "--method", name) for name in ("fdk", "gaussians", "diffnr")
    ]
    assert all(command[7:11] == ("--device", "cpu", "--seed", "5") for command in others)
    assert {command[1] for command in others} == {simulate[2]} and job_folders() == []


def test_reconstructions_come_into_the_scene_beside_their_truth(ui, scan, library, reconstruct):
    reconstruct()
    found = find_reconstructions()
    assert [each.node.GetName() for each in found] == [
        f"Scan 12 parallel views {title}" for title in ("FDK", "ASD-POCS", "DiffNR")
    ]
    (truth,) = {each.truth for each in found}
    assert role_of(truth) == TRUTH and truth.GetName() == "Scan at 2 mm"
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    middle = slicer.util.arrayFromVolume(scan)[1:33, :, 1:25]
    for each, number in zip(found, (3, 8, 6), strict=True):
        assert np.array_equal(slicer.util.arrayFromVolume(each.node), middle + number)
        assert np.allclose(slicer.util.arrayFromVolume(each.truth), middle) and each.report["note"] == "Not."
        assert np.allclose(each.node.GetOrigin(), (MATRIX @ [1, 0, 1, 1])[:3])
        assert each.node.GetNodeReference(SCAN_REFERENCE) is scan and each.node.GetAttribute(NOTE) == "Not."
        folder = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(each.node))
        assert hierarchy.GetItemName(folder) == "Scan, fewer views"
    assert cells(ui) == [
        ["12 parallel views", "FDK", "21.50", "0.877", "1.8 s"],
        ["12 parallel views", "ASD-POCS", "33.25", "0.877", "1.8 s"],
        ["12 parallel views", "DiffNR", "30.00", "0.877", "1.8 s"],
    ]
    assert ui.messageLabel.text.startswith("Done in ") and not ui.progressBar.visible


def test_the_best_two_are_compared_with_the_ct_and_others_where_they_are_chosen(ui, scan, library, reconstruct, look):
    reconstruct()
    fdk, pocs, diffnr = find_reconstructions()

    def shown() -> set[str]:
        layouts = slicer.app.layoutManager()
        views = [layouts.sliceWidget(name).mrmlSliceCompositeNode() for name in layouts.sliceViewNames()]
        return {view.GetBackgroundVolumeID() for view in views} - {None}

    assert shown() >= {fdk.truth.GetID(), pocs.node.GetID(), diffnr.node.GetID()}
    reconstruct()
    found = find_reconstructions()
    assert len(found) == 6 == len(cells(ui)) and len({each.truth for each in found}) == 1
    ui.reconstructionsTable.selectRow(0)
    ui.compareButton.click()
    assert fdk.node.GetID() in shown() and pocs.node.GetID() not in shown()
    ui.reconstructionsTable.selectAll()
    assert not ui.compareButton.enabled  # three places are what there is
    slicer.mrmlScene.RemoveNode(pocs.node)
    look()
    assert len(cells(ui)) == 5
    ui.reconstructionsTable.selectRow(1)
    assert ui.compareButton.enabled
    slicer.mrmlScene.RemoveNode(pocs.truth)
    look()
    assert not ui.compareButton.enabled


def test_a_scan_that_is_moved_meanwhile_has_its_reconstructions_where_it_is(ui, scan, library, run, look, wait_until):
    look()
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode")
    moved = MATRIX.copy()
    moved[0, 3] += 50

    def move():
        if run.step == "fdk" and not scan.GetTransformNodeID():
            scan.SetAndObserveTransformNodeID(transform.GetID())
            scan.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(moved))

    run.on_change(move)
    ui.startButton.click()
    wait_until(lambda: not run.busy)
    assert scan.GetTransformNodeID() == transform.GetID()
    for each in find_reconstructions():
        assert each.node.GetTransformNodeID() == transform.GetID()
        grid = ViewsGrid.of((35, 24, 26), (2.0, 2.0, 2.0), 96)
        assert np.allclose(voxel_geometry.ijk_to_ras(each.node), moved @ grid.to_part)


def test_the_voxels_lie_where_the_library_takes_them_from():
    """In a CT whose values are places: the library's own samples of it say where they are."""
    from CTSuperResolutionLib.volume.resampling import isotropic

    part, spacing = (30, 71, 60), (3.0, 0.8, 1.1)
    grid = ViewsGrid.of(part, spacing, 40)
    assert grid.millimetres == 2.25 and grid.shape == (40, 24, 24)
    places = np.stack(np.meshgrid(*map(np.arange, part), indexing="ij")).astype(np.float32)
    samples = [isotropic(each, spacing, grid.millimetres) for each in places]
    first = [n // 2 - m // 2 for n, m in zip(samples[0].shape, grid.shape, strict=True)]
    middle = tuple(slice(start, start + m) for start, m in zip(first, grid.shape, strict=True))
    inner = (slice(3, -3),) * 3  # at the ends the library's blur sees the rim
    found = np.stack([each[middle][inner] for each in samples][::-1])
    indices = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"))[(slice(None), *inner)][::-1]
    said = voxel_geometry.apply(grid.to_part, indices.reshape(3, -1).T)
    assert np.abs(found.reshape(3, -1).T - said).max() < 1e-3


def test_a_region_is_all_that_is_handed_over(ui, scan, state, library, reconstruct, look):
    state.useRoi = True
    look()
    state.roi.SetSize([1000.0, 18.0, 1000.0])
    reconstruct()
    simulate, *_others = library.commands
    assert simulate[-3:] == ("--allow-unusual", "--events", "json")
    (truth,) = {each.truth for each in find_reconstructions()}
    whole = voxel_geometry.world_to_ijk(scan)
    first, last = (
        voxel_geometry.apply(whole @ voxel_geometry.ijk_to_ras(truth), [index])[0]
        for index in ((0, 0, 0), np.array(voxel_geometry.shape(truth)[::-1]) - 1)
    )
    assert voxel_geometry.shape(truth)[1] == 8 and 7 < first[1] < last[1] < 17


def test_what_is_lacking_is_said(ui, scan, state, look, make_scan):
    state.fewViewsMethods = ""
    look()
    assert ui.estimateLabel.text == "<b>Choose a method.</b>" and not ui.startButton.enabled
    state.fewViewsMethods, state.fewViewsVoxels = "fdk", 64
    state.inputVolume = make_scan(shape=(8, 90, 90))
    look()
    assert "A side has fewer than 8 voxels of 1.41 mm; choose" in ui.estimateLabel.text and not ui.startButton.enabled
    state.inputVolume = None
    look()
    assert "Choose a volume." in ui.estimateLabel.text


def test_a_method_that_fails_is_told_of_and_the_others_come(ui, scan, library, reconstruct, run, job_folders):
    library.manners["asd-pocs"] = "fails"
    reconstruct()
    assert run.state is RunnerState.IDLE and ui.messageLabel.text.startswith("Done in ")
    assert ui.messageLabel.text.endswith(". Some pixels of 2 × 2 caught no photon. ASD-POCS: It was no CT.")
    assert [each.method for each in find_reconstructions()] == ["fdk", "diffnr"]


@pytest.mark.parametrize("step", ["simulate", "fdk"])
def test_where_nothing_can_be_reconstructed_the_sentence_says_why(
    ui, scan, state, library, reconstruct, run, step, job_folders
):
    state.fewViewsMethods = "fdk"
    library.manners[step] = "fails"
    reconstruct()
    assert run.state is RunnerState.FAILED and "It was no CT." in ui.messageLabel.text and volumes() == [scan]
    assert ui.startButton.enabled
    ui.logButton.click()
    assert "It was no CT." in ui.logText.plainText


STEPS = ["exporting", "simulate", "deaf", "loading"]


@pytest.fixture
def reach(ui, run, scan, state, library, look, wait_until, monkeypatch, make_scan):
    """reach("loading"): the work is at that step; "deaf" is a method whose process does not listen."""

    def go(step: str) -> None:
        monkeypatch.setattr("CTSuperResolutionPanel.process.command.CANCEL_MS", 200)
        monkeypatch.setattr("CTSuperResolutionPanel.process.stepper.BUDGET_S", 0.0)
        if step in ("exporting", "loading"):  # larger, where the step would be over before anybody sees it
            state.inputVolume, state.fewViewsVoxels = make_scan(shape=(64, 128, 128)), 128
            slicer.mrmlScene.RemoveNode(scan)
            look()
        at, manner = {"deaf": ("asd-pocs", "is deaf")}.get(step, (step, "works on"))
        library.manners = {at: manner}
        ui.startButton.click()
        wait_until(lambda: run.state.value == step or (run.step == at and run.stage == "fit"))

    return go


@pytest.mark.parametrize("step", STEPS)
def test_cancel(ui, run, reach, step, job_folders, library, wait_until):
    reach(step)
    assert ui.startButton.text == "Cancel" and ui.progressBar.visible and len(job_folders()) == 1
    assert job_folders()[0].stat().st_mode & 0o077 == 0
    ui.startButton.click()
    if step == "deaf":
        assert ui.startButton.text == "Cancelling…" and not ui.startButton.enabled
    wait_until(lambda: not run.busy)
    assert ui.messageLabel.text == "Cancelled." and ui.startButton.text == "Scan and reconstruct"
    assert ui.startButton.enabled and not ui.progressBar.visible
    assert len(volumes()) == 1 and library.abandoned is (step == "deaf")


@pytest.mark.parametrize(("step", "end"), [("loading", "removed"), ("fdk", "closed"), ("deaf", "quit")])
def test_the_scan_or_slicer_goes(run, reach, step, end, panel, state, job_folders, wait_until):
    reach(step)
    if end == "removed":
        slicer.mrmlScene.RemoveNode(state.inputVolume)
    elif end == "closed":
        slicer.mrmlScene.Clear()
    else:
        panel.logic.shut_down()
        assert not run.busy
    wait_until(lambda: not run.busy)
    assert (
        run.message
        == {
            "removed": "Cancelled, for the scan was removed.",
            "closed": "Cancelled, for the scene was closed.",
            "quit": "Cancelled.",
        }[end]
    )
    assert find_reconstructions() == []


def test_progress_says_step_stage_and_time_left_and_never_goes_back(ui, run, scan, library, reconstruct):
    seen = []
    run.on_change(lambda: seen.append((run.fraction, ui.progressBar.format)) if run.busy else None)
    reconstruct()
    fractions = [fraction for fraction, _text in seen]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    texts = "\n".join(text for _fraction, text in seen)
    for each in ("Handing over the scan", "Scanning · 0:", "ASD-POCS, fitting · 0:", "Loading the result"):
        assert each in texts


def test_the_time_that_a_method_took_is_known_the_next_time(ui, run, scan, state, library, reconstruct, look):
    qt.QSettings().remove("CTSuperResolution/RuntimeCalibration")
    state.fewViewsMethods = "naf"
    look()
    before = ui.estimateLabel.text
    PSNR["naf"] = 1.0
    reconstruct()  # 1.5 s, and some 15 expected
    look()
    assert ui.estimateLabel.text != before
    qt.QSettings().remove("CTSuperResolution/RuntimeCalibration")


def test_choices_are_saved_with_the_scene(ui, scan, state, panel, look, tmp_path):
    ui.viewsSpinBox.value = 24
    ui.sartCheckBox.click()
    ui.photonsComboBox.setCurrentIndex(1)
    ui.photonsComboBox.activated(1)
    scene = tmp_path / "scene.mrml"
    slicer.util.saveScene(str(scene))
    slicer.mrmlScene.Clear()
    look()
    assert ui.viewsSpinBox.value == 36 and not ui.sartCheckBox.checked
    slicer.util.loadScene(str(scene))
    look()
    assert ui.viewsSpinBox.value == 24 and ui.sartCheckBox.checked and ui.photonsComboBox.currentIndex == 1


@pytest.mark.slow
def test_a_ball_is_scanned_and_reconstructed_by_the_library_itself(
    panel, ui, run, state, look, wait_until, job_folders, library_python, monkeypatch
):
    from CTSuperResolutionPanel import install

    monkeypatch.setattr(install, "ensure", lambda parent=None: library_python)
    z, y, x = np.mgrid[:20, :24, :24] - np.array([9.5, 11.5, 11.5])[:, None, None, None]
    hu = np.where(z**2 + y**2 + x**2 < 9**2, 40, -1000).astype(np.int16)
    hu[(z**2 + y**2 + (x - 3) ** 2) < 3**2] = 900
    state.inputVolume = slicer.util.addVolumeFromArray(hu, name="Ball")
    state.inputVolume.SetSpacing(2, 2, 2)
    state.fewViewsMethods = "sart"
    look()
    ui.startButton.click()
    wait_until(lambda: not run.busy, 120)
    assert ui.messageLabel.text.startswith("Done in "), ui.messageLabel.text
    (found,) = find_reconstructions()
    assert np.abs(slicer.util.arrayFromVolume(found.truth) - hu[2:18]).max() <= 1
    error = slicer.util.arrayFromVolume(found.node) - slicer.util.arrayFromVolume(found.truth)
    psnr = 10 * np.log10(2000**2 / np.mean(np.square(error, dtype=np.float64)))
    assert found.scores["psnr_db"] == pytest.approx(psnr, abs=0.05) and psnr > 25 and found.views == "36 views"
