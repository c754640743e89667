"""The main window: module panel at the left, views at the right, status bar below."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDockWidget, QLabel, QMainWindow, QScrollArea, QToolBar, QVBoxLayout, QWidget

from slicer_host import names
from slicer_host.pythonqt.classes import register
from slicer_host.widgets.layout_manager import qSlicerLayoutManager
from slicer_host.widgets.properties import Property

from .modules import qSlicerModuleManager, qSlicerScriptedLoadableModule

TOOL_BAR_HEIGHT = 40
ABOVE = (("ApplicationLogo", "3D Slicer", 58), ("HelpCollapsibleButton", "▸ Help & Acknowledgement", 24))
BELOW = (("DataProbeCollapsibleWidget", "▾ Data Probe\n\nL\nF\nB", 112),)
"""What Slicer has above and below the panel of every module, what it calls it, and how high it is, pixels: the panel
gets the rest."""


def _with_neighbours(panel: QWidget) -> QWidget:
    """A module's panel between what Slicer puts there."""
    whole = QWidget()
    layout = QVBoxLayout(whole)
    layout.setContentsMargins(0, 0, 0, 0)
    for neighbour in ABOVE:
        layout.addWidget(_neighbour(*neighbour))
    layout.addWidget(panel, 1)
    for neighbour in BELOW:
        layout.addWidget(_neighbour(*neighbour))
    return whole


def _neighbour(name: str, text: str, height: int) -> QLabel:
    label = QLabel(text)
    label.setObjectName(name)
    label.setFixedHeight(height)
    label.setEnabled(False)
    label.setMargin(4)
    return label


@register
class qSlicerModuleSelectorToolBar(QToolBar):
    """Goes from module to module; the panel of the one left gets ``exit``, of the one entered ``enter``."""

    moduleSelected = Signal(str)
    panel_width_needed = Signal(int)

    def __init__(self, manager: qSlicerModuleManager, panel: QScrollArea):
        super().__init__("Modules")
        self._manager, self._panel, self._selected = manager, panel, ""
        self._title = QLabel("Modules:")
        self.addWidget(self._title)

    def selectModule(self, name: str) -> None:
        """Go to a module."""
        if name == self._selected:
            return
        if self._manager.module(name) is None and name not in names.words("modules"):
            raise ValueError(f"There is no module {name!r} to go to.")
        self._shown(self._selected, leave=True)
        self._selected = name
        module = self._manager.module(name)
        self._title.setText(f"Modules: {module.property('title') or name if module else ''}")
        self._shown(name, leave=False)
        self.moduleSelected.emit(name)

    def _shown(self, name: str, *, leave: bool) -> None:
        module = self._manager.module(name)
        if not isinstance(module, qSlicerScriptedLoadableModule):
            return
        widget = module.widgetRepresentation()
        if leave:
            widget.exit()
            self._panel.takeWidget()
            self.panel_width_needed.emit(0)
        else:
            self._panel.setWidget(widget)
            widget.show()
            self.panel_width_needed.emit(widget.minimumSizeHint().width())
            widget.enter()

    selectedModule = Property(str, lambda self: self._selected, selectModule)


@register
class qSlicerMainWindow(QMainWindow):
    """Slicer's window."""

    def __init__(self, manager: qSlicerModuleManager, layout_manager: qSlicerLayoutManager):
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self.setWindowTitle("3D Slicer (test host)")
        self._panel, self._dock = QScrollArea(), QDockWidget("Module panel", self)
        self._panel.setWidgetResizable(True)
        self._panel.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._dock.setObjectName("PanelDockWidget")
        self._dock.setWidget(_with_neighbours(self._panel))
        self.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, self._dock)
        self._selector = qSlicerModuleSelectorToolBar(manager, self._panel)
        self._selector.panel_width_needed.connect(self._fit_panel)
        self._fit_panel(0)
        self._selector.setMinimumHeight(TOOL_BAR_HEIGHT)
        self.addToolBar(self._selector)
        for title in ("File", "Edit", "View", "Help"):
            self.menuBar().addMenu(title)
        central = QWidget()
        central.setObjectName("CentralWidgetLayoutFrame")
        layout = QVBoxLayout(central)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(layout_manager.viewport())
        self.setCentralWidget(central)
        self.statusBar()
        self.resize(1280, 800)

    def _fit_panel(self, needed: int) -> None:
        """Panels cannot be scrolled sideways, so there is room for all of their width, and not more than usual."""
        width = max(400, needed + self._panel.verticalScrollBar().sizeHint().width())
        self._panel.setMinimumWidth(width)
        self.resizeDocks([self._dock], [width], Qt.Orientation.Horizontal)

    def moduleSelector(self) -> QToolBar:
        """The tool bar that goes from module to module."""
        return self._selector
