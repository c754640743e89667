"""Starts the host: ``start()`` makes the modules slicer, qt and ctk importable, once per process."""

from __future__ import annotations

import atexit
import ctypes
import os
import sys
import types
from typing import Any

from . import names, system_libraries

_host: Host | None = None


class Host:
    """The running host; tests use it to reset the scene and to load modules."""

    def __init__(self, application: Any, window: Any, scene: Any, modules: Any, folders: Any):
        self.application, self.window, self.folders = application, window, folders
        self.scene, self.modules = scene, modules


class SlicerModule(types.ModuleType):
    """The module slicer: MRML classes of slicer-core, and Slicer's widgets by name."""

    def __getattr__(self, name: str) -> Any:
        """A widget class, or Slicer's error."""
        from .pythonqt import classes

        if name.startswith("__"):
            raise AttributeError(name)
        if name[:1] == "q" and names.exists("slicer", name):
            return classes.find("slicer", name)
        raise AttributeError(f"slicer in Slicer 5.8 has no {name}, or the test host does not know it.")


def start(*, draw: bool = False) -> Host:
    """Start the host, or return the one that runs; ``draw`` lets VTK draw the views, for which it needs OpenGL."""
    global _host
    if _host is None:
        if "slicer" in sys.modules and hasattr(sys.modules["slicer"], "app"):
            raise RuntimeError("This is a real Slicer; the test host is not needed in it.")
        lacking = system_libraries.missing()
        if lacking:
            raise RuntimeError(f"Qt needs system packages; run this first: sudo apt-get install {' '.join(lacking)}")
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
        _host = _started(draw)
    return _host


def _make_immortal() -> None:
    """Keep PySide from deleting True, False and None.

    PySide 6.12 returns them without counting the reference (each emit, each processEvents), which is right from Python
    3.12 on, where they cannot be deleted. Before, the interpreter would abort after some thousand events.
    """
    if sys.version_info < (3, 12):
        for value in (True, False, None):
            ctypes.c_ssize_t.from_address(id(value)).value += 1 << 40


def _started(draw: bool) -> Host:
    _make_immortal()
    slicer = _slicer()
    from .application import folders as folders_
    from .application import qt_messages
    from .application.io_manager import qSlicerIOManager
    from .application.main_window import qSlicerMainWindow
    from .application.modules import Modules, qSlicerModuleManager
    from .application.scene import Scene
    from .application.slicer_application import qSlicerApplication
    from .pythonqt.modules import ClassModule
    from .pythonqt.wrapping import wrap
    from .widgets import all as _all  # noqa: F401
    from .widgets import drawing
    from .widgets.layout_manager import qSlicerLayoutManager

    for name in ("qt", "ctk"):
        sys.modules[name] = ClassModule(name)
    folders = folders_.make()
    qt_messages.install()
    application = qSlicerApplication(folders)
    scene = Scene(str(folders.home), str(folders.temporary))
    layout_manager = qSlicerLayoutManager(application)
    io = qSlicerIOManager(scene.scene, scene.application_logic, application)
    modules = qSlicerModuleManager(scene.scene, scene.logics, application)
    application.take(scene.scene, scene.application_logic, layout_manager, io, modules)
    slicer.app, slicer.mrmlScene = wrap(application), scene.scene
    slicer.modules = Modules(modules)
    slicer.moduleNames = types.SimpleNamespace(**{name: name for name in names.words("modules")})
    _python_modules(slicer)
    if draw:
        drawing.turn_on()
    layout_manager.start(scene.scene, scene.application_logic)
    window = qSlicerMainWindow(modules, layout_manager)
    window.show()
    atexit.register(_quit, application)
    return Host(application, window, scene, modules, folders)


def _quit(application: Any) -> None:
    """Let the application quit, so that whoever waits for ``aboutToQuit()`` is told."""
    from PySide6.QtCore import QTimer

    QTimer.singleShot(0, application.quit)
    application.exec()


def _slicer() -> Any:
    """slicer-core's module, without what it has more than Slicer's."""
    import slicer
    import slicer.util

    from .application.util import hold_to_listed

    listed = names.words("slicer") | {"util"}
    for name in list(vars(slicer)):
        if not name.startswith(("vtk", "__")) and name not in listed:
            delattr(slicer, name)
    hold_to_listed(slicer.util)
    slicer.__class__, slicer.is_test_host = SlicerModule, True
    return slicer


def _python_modules(slicer: Any) -> None:
    """Slicer's Python modules that slicer-core does not have."""
    from .scripting import i18n, sample_data, scripted_module

    for name, module in {"ScriptedLoadableModule": scripted_module, "i18n": i18n}.items():
        setattr(slicer, name, module)
        sys.modules[f"slicer.{name}"] = module
    sys.modules["SampleData"] = sample_data
    from . import parameter_node

    slicer.parameterNodeWrapper = parameter_node
    sys.modules["slicer.parameterNodeWrapper"] = parameter_node
