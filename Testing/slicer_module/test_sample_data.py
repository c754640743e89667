"""The scans that the module offers to try it with."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import qt
from CTSuperResolutionPanel import sample_data
from CTSuperResolutionPanel.scene import phantom_scan, voxel_geometry
from CTSuperResolutionPanel.scene.phantom import load_phantom
from CTSuperResolutionPanel.scene.suitability import facts_of, find_problem

from CTSuperResolutionLib.phantom import thorax


def test_the_phantom_is_a_scan_that_the_method_understands(slicer):
    """As the library's own simulation of a scanner gives it, and where that puts it."""
    pytest.importorskip("torch", reason="the library's simulation needs torch, which this Python has not")
    from CTSuperResolutionLib.degradation.simulation import degrade

    node = load_phantom(shape=(10, 12, 16), spacing=12.0)
    expected = degrade(thorax(shape=(20, 24, 32), spacing=6.0), (2, 2, 2), blur=0.5)
    assert abs(slicer.util.arrayFromVolume(node) - expected.array).max() < 2
    matrix = voxel_geometry.LPS @ voxel_geometry.ijk_to_ras(node)
    for index in ((0, 0, 0), (9, 11, 15)):
        np.testing.assert_allclose((matrix @ [*index[::-1], 1])[:3], expected.point(index), atol=1e-6)
    assert find_problem(facts_of(node)) is None


@pytest.fixture
def sources(slicer, monkeypatch):
    """The samples that the module offers, and none of others; the modules of other tests have added theirs."""
    monkeypatch.setattr(slicer.modules, "sampleDataSources", {}, raising=False)
    sample_data.register()
    return slicer.modules.sampleDataSources[sample_data.CATEGORY]


@pytest.fixture
def button(sources, slicer):
    """The phantom's button in Slicer's module Sample Data."""
    import SampleData

    frame = qt.QWidget()
    SampleData.SampleDataWidget.setCategoriesFromSampleDataSources(
        qt.QVBoxLayout(frame), slicer.modules.sampleDataSources, SampleData.SampleDataLogic()
    )
    (found,) = slicer.util.findChildren(frame, name=f"{sample_data.PHANTOM}PushButton")
    yield found
    frame.deleteLater()


@pytest.fixture
def told(slicer, monkeypatch):
    """What is said in Sample Data's log, and with which level."""
    log = []
    panel = SimpleNamespace(logMessage=lambda message, level: log.append((message, level)))
    monkeypatch.setattr(slicer.modules, "SampleDataWidget", panel, raising=False)
    return log


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(phantom_scan, "SHAPE", (10, 12, 16))
    monkeypatch.setattr(phantom_scan, "SPACING", 12.0)


def phantoms(slicer) -> list:
    return [node for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") if "phantom" in node.GetName()]


def test_samples_are_offered_with_their_checksums(sources, small, wait_until, slicer):
    names = [source.sampleName for source in sources]
    assert sample_data.PHANTOM in names and len(names) == len(set(names)) == 3
    for source in sources:
        if source.sampleName == sample_data.PHANTOM:
            source.customDownloader(source)
            wait_until(lambda: phantoms(slicer), 60, "the phantom")
            assert slicer.util.getNode("Thorax phantom")
        else:
            (checksum,), (uri,) = source.checksums, source.uris
            assert uri.endswith(checksum.partition(":")[2])


def test_samples_are_offered_at_start_up(panel, slicer, monkeypatch):
    import CTSuperResolution

    monkeypatch.setattr(slicer.modules, "sampleDataSources", {}, raising=False)
    CTSuperResolution.registerSampleData()
    CTSuperResolution.registerSampleData()
    assert len(slicer.modules.sampleDataSources[sample_data.CATEGORY]) == 3


def test_the_button_generates_the_phantom_in_the_background_with_a_word_while_it_does(
    button, told, wait_until, slicer, monkeypatch
):
    """As large as it is offered. The window's own work never stops for it."""
    monkeypatch.setattr(phantom_scan, "thorax_scan", None)  # nothing is generated here
    button.click()
    assert not phantoms(slicer)
    assert told[0] == ("Generating the thorax phantom in the background …", logging.INFO)
    assert slicer.util.mainWindow().statusBar().currentMessage() == told[0][0]
    wait_until(lambda: phantoms(slicer), 120, "the phantom")
    (node,) = phantoms(slicer)
    assert slicer.util.arrayFromVolume(node).shape == (32, 48, 48)
    assert find_problem(facts_of(node)) is None
    red = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    assert red.GetBackgroundVolumeID() == node.GetID()
    assert told[-1] == ("The thorax phantom is loaded.", logging.INFO)
    assert not list(Path(slicer.app.temporaryPath).glob("CTSuperResolution-phantom-*"))


def test_it_is_the_same_phantom_as_is_generated_in_this_process(button, small, wait_until, slicer):
    button.click()
    wait_until(lambda: phantoms(slicer), 60, "the phantom")
    expected = load_phantom((10, 12, 16), 12.0)
    found = phantoms(slicer)[0]
    assert np.array_equal(slicer.util.arrayFromVolume(found), slicer.util.arrayFromVolume(expected))
    assert np.array_equal(voxel_geometry.ijk_to_ras(found), voxel_geometry.ijk_to_ras(expected))


def test_pressed_twice_it_comes_once(button, small, told, wait_until, slicer):
    button.click()
    button.click()
    assert told[-1][0] == "The thorax phantom is being generated already."
    wait_until(lambda: not sample_data._under_way, 60, "the phantom")
    assert len(phantoms(slicer)) == 1


@pytest.mark.parametrize("python", ["is not there", "fails"])
def test_why_it_does_not_come_is_one_sentence(button, told, wait_until, slicer, monkeypatch, tmp_path, python):
    program = tmp_path / "python"
    if python == "fails":
        program.write_text("#!/bin/sh\necho 'ModuleNotFoundError: No module named scipy.' >&2; exit 1\n")
        program.chmod(0o755)
    monkeypatch.setattr(sample_data, "slicers_python", lambda: program)
    button.click()
    wait_until(lambda: not sample_data._under_way, 30, "the end")
    sentence, level = told[-1]
    assert level == logging.ERROR and sentence.startswith("The thorax phantom could not be generated (")
    assert sentence.endswith(").") and "\n" not in sentence and not phantoms(slicer)
    if python == "fails":
        assert "No module named scipy)." in sentence
    assert not list(Path(slicer.app.temporaryPath).glob("CTSuperResolution-phantom-*"))


def test_slicer_may_quit_meanwhile(button, slicer):
    button.click()
    (download,) = sample_data._under_way
    download.abandon()
    assert not sample_data._under_way and not phantoms(slicer)
    assert not list(Path(slicer.app.temporaryPath).glob("CTSuperResolution-phantom-*"))
