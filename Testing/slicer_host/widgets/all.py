"""Importing this registers all widgets of the host."""

from __future__ import annotations

from slicer_host.pythonqt.classes import register
from slicer_host.pythonqt.ui_loader import QUiLoader

from . import ctk_collapsible, ctk_paths, ctk_sliders, mrml_widget, node_combo_box  # noqa: F401

register(QUiLoader)
