"""Installation of what the background process needs, where it is not there yet."""

from __future__ import annotations

from pathlib import Path

import qt

from CTSuperResolutionPanel.install import readiness_cache
from CTSuperResolutionPanel.install.interpreters import chosen_python
from CTSuperResolutionPanel.install.readiness_cache import forget

__all__ = ["change", "chosen_python", "ensure", "forget"]


def ensure(parent: qt.QWidget | None = None) -> Path | None:
    """The Python to run a job with, or None where the user declined to install what it needs.

    Answers at once where that Python was ready before. Otherwise a dialog shows while it is inspected, which stays to
    install what is missing.
    """
    python = chosen_python()
    if readiness_cache.is_remembered(python):
        return python
    from CTSuperResolutionPanel.install.dialog import InstallDialog

    return InstallDialog(parent).exec()


def change(parent: qt.QWidget | None = None) -> Path | None:
    """Let the user choose another Python for jobs, or Slicer's own again; None where nothing was chosen."""
    from CTSuperResolutionPanel.install.dialog import InstallDialog

    return InstallDialog(parent, stay=True).exec()
