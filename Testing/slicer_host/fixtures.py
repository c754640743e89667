"""Fixtures for tests of the Slicer module. They work in the test host and, unchanged, in a real Slicer.

A conftest.py puts the folder of this package on sys.path and imports all of it; from then on ``slicer``, ``qt`` and
``ctk`` can be imported in that pytest process.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

__all__ = ["application", "import_more", "panel", "slice_pixels", "slicer", "unseen_errors", "wait_until"]

ROOT = Path(__file__).resolve().parents[2]
MODULE = "CTSuperResolution"

sys.path[:0] = [str(ROOT / MODULE), str(ROOT)]  # as Slicer does with a module's folder; and the library of the checkout

IS_REAL = "slicer" in sys.modules and not hasattr(sys.modules["slicer"], "is_test_host")
if not IS_REAL:
    from slicer_host.host import start

    HOST = start()

import qt as qt_  # noqa: E402 - the host brings it
import slicer as slicer_  # noqa: E402


class Application:
    """Slicer, real or the test host: loads the module from its file, and throws it away again."""

    is_real = IS_REAL

    def __init__(self) -> None:
        self._layout = slicer_.app.layoutManager().layout

    def load(self, path: Path = ROOT / MODULE / f"{MODULE}.py") -> Any:
        """Load a scripted module from its file, unchanged, and show it; returns the Python object of its panel."""
        name = path.stem
        if not IS_REAL:
            HOST.modules.load(str(path))
        elif slicer_.app.moduleManager().module(name) is None:
            factory = slicer_.app.moduleManager().factoryManager()
            factory.registerModule(qt_.QFileInfo(str(path)))
            factory.loadModules([name])
        slicer_.util.selectModule(name)
        return slicer_.util.getModuleWidget(name)

    def unload(self, name: str = MODULE) -> None:
        """Leave the module and let its panel clean up."""
        slicer_.util.selectModule("Data")
        if IS_REAL:
            slicer_.util.reloadScriptedModule(name)  # it cleans the old panel up and makes a new one
        else:
            HOST.modules.unload(name)

    def reset(self) -> None:
        """An empty scene in Slicer's usual layout."""
        slicer_.mrmlScene.Clear(0)
        slicer_.app.layoutManager().setLayout(self._layout)
        slicer_.app.processEvents()


@pytest.fixture(scope="session")
def application() -> Application:
    """The one Slicer of this process."""
    return Application()


@pytest.fixture
def slicer(application: Application, unseen_errors: list[BaseException]) -> Iterator[Any]:
    """The module slicer, with an empty scene."""
    application.reset()
    yield slicer_
    application.reset()


@pytest.fixture
def panel(application: Application, slicer: Any) -> Iterator[Any]:
    """The module's panel, loaded from its file and shown; it leaves and cleans up after the test."""
    yield application.load()
    if slicer.app.moduleManager().module(MODULE) is not None:
        application.unload()


@pytest.fixture
def unseen_errors(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[BaseException]]:
    """Errors in slots and observers, which Slicer only prints. The test fails unless it empties the list."""
    errors: list[BaseException] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: errors.append(error))
    yield errors
    for error in errors:
        raise AssertionError(f"A slot or observer raised {type(error).__name__}: {error}") from error


@pytest.fixture
def wait_until() -> Callable[..., None]:
    """wait_until(condition, timeout=10): runs Slicer's event loop until it holds; fails when it never does."""

    def wait(condition: Callable[[], Any], timeout: float = 10.0, what: str = "the condition") -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"{what} did not come true within {timeout} s")
            # A real loop, and not processEvents: deleteLater takes effect, and the processor rests.
            loop = qt_.QEventLoop()
            qt_.QTimer.singleShot(10, loop.quit)
            loop.exec_()

    return wait


@pytest.fixture
def slice_pixels() -> Callable[[str], Any]:
    """slice_pixels("Red"): what a slice view shows, (rows, columns, 4) unsigned bytes, first row at the bottom."""

    def pixels(name: str) -> Any:
        from vtk.util.numpy_support import vtk_to_numpy

        logic = slicer_.app.layoutManager().sliceWidget(name).sliceLogic()
        connection = logic.GetImageDataConnection()
        if connection is None:
            return None
        connection.GetProducer().Update()
        image = connection.GetProducer().GetOutputDataObject(connection.GetIndex())
        columns, rows, _ = image.GetDimensions()
        return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(-1, rows, columns, 4)[0].copy()

    return pixels


@pytest.fixture
def import_more(slicer, tmp_path):
    """import_more(): adds a scene with one more text to this one."""

    def add() -> None:
        scene = slicer.vtkMRMLScene()
        scene.AddNewNodeByClass("vtkMRMLTextNode", "More")
        scene.SetURL(str(tmp_path / "more.mrml"))
        assert scene.Commit()
        slicer.mrmlScene.SetURL(str(tmp_path / "more.mrml"))
        assert slicer.mrmlScene.Import()
        assert slicer.util.getNode("More*") is not None

    return add
