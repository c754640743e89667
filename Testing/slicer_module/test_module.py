"""The module as Slicer loads, reloads and ends it."""

from __future__ import annotations

import gc
import sys
import weakref

import pytest
from CTSuperResolutionPanel.process.stepper import Stepper

pytestmark = pytest.mark.usefixtures("installed")


class Large:
    """What long work holds."""


def test_leaving_the_module_after_it_was_cleaned_up_is_no_error(panel, slicer):
    panel.cleanup()
    panel.exit()
    panel.enter()
    slicer.mrmlScene.Clear(0)
    panel.onSceneStartClose(None, None)
    panel.onSceneEndClose(None, None)
    panel.onSceneEndImport(None, None)


def test_a_module_that_is_reloaded_while_it_is_shown_goes_on(panel):
    assert panel.panel.entered
    panel.cleanup()
    panel.setup()  # and Slicer calls no enter()
    assert panel.panel.entered


def test_reloading_reads_every_file_anew(panel, slicer, monkeypatch):
    before = dict(sys.modules)
    reloaded = []
    monkeypatch.setattr(slicer.util, "reloadScriptedModule", reloaded.append, raising=False)
    try:
        panel.onReload()
        left = [name for name in sys.modules if name.startswith(("CTSuperResolutionPanel", "CTSuperResolutionLib"))]
    finally:
        sys.modules.update(before)
    assert reloaded == ["CTSuperResolution"] and left == []


def test_slicer_loads_first_what_the_module_uses(panel, slicer):
    assert {"Colors", "Volumes", "VolumeRendering", "Markups", "SubjectHierarchy"} <= set(
        slicer.modules.ctsuperresolution.dependencies
    )


def test_long_work_leaves_no_memory_behind(slicer, wait_until):
    """However it ends, and although whoever began it keeps the stepper."""

    def begin(manner):
        large = Large()

        def work():
            yield 0.0
            if manner == "fails":
                raise ValueError
            while manner == "is stopped":
                yield 0.5
            return large

        ended = []
        stepper = Stepper(work(), done=lambda it: ended.append(large is it), failed=lambda e: ended.append(large is e))
        stepper.start()
        if manner == "is stopped":
            stepper.stop()
        return stepper, ended, weakref.ref(large)

    for manner in ("ends", "fails", "is stopped"):
        stepper, ended, large = begin(manner)
        if manner != "is stopped":
            wait_until(lambda ended=ended: ended)
        stepper.stop()
        gc.collect()
        assert large() is None, manner
        stepper = weakref.ref(stepper)
        wait_until(lambda stepper=stepper: gc.collect() >= 0 and stepper() is None)
