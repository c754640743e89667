"""What the background process needs: whether it is there, and its installation where it is not."""

from __future__ import annotations

from pathlib import Path

import qt

from CTSuperResolutionPanel.install import ready
from CTSuperResolutionPanel.install.pythons import chosen_python
from CTSuperResolutionPanel.install.ready import forget

__all__ = ["change", "chosen_python", "ensure", "forget"]


def ensure(parent: qt.QWidget | None = None) -> Path | None:
    """The Python to run a job with, or None where the user declined to install what it needs.

    Answers at once where that Python was ready before. Otherwise a dialog shows while it is looked at, which stays to
    install what is missing.
    """
    python = chosen_python()
    if ready.is_remembered(python):
        return python
    from CTSuperResolutionPanel.install.dialog import InstallDialog

    return InstallDialog(parent).exec()


def change(parent: qt.QWidget | None = None) -> Path | None:
    """Let the user choose another Python for jobs, or Slicer's own again; None where nothing was chosen."""
    from CTSuperResolutionPanel.install.dialog import InstallDialog

    return InstallDialog(parent, stay=True).exec()
