"""Extension PyTorch, which installs torch for all extensions of Slicer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import slicer

NAME = "PyTorch"


def is_there() -> bool:
    """Whether the extension is installed and loaded."""
    return hasattr(slicer.modules, "pytorchutils")


def torch_arguments(requirement: str) -> Sequence[str]:
    """What the extension gives to light-the-torch to install torch, as ">=2.4" or newer.

    Its own installTorch() cannot be used: that ends by importing torch into Slicer's process, and holds the window.
    """
    import PyTorchUtils

    arguments = getattr(PyTorchUtils.PyTorchUtilsLogic, "_getPipInstallArguments", None)
    return arguments(None, requirement, None) if arguments else ["install", f"torch{requirement}", "torchvision"]


def can_be_installed() -> bool:
    """Whether Slicer has its extensions manager."""
    return _manager() is not None


def install() -> bool:
    """Have the extensions manager install it, for the next start of Slicer; whether that worked."""
    manager = _manager()
    interactive, manager.interactive = manager.interactive, False
    try:
        return manager.installExtensionFromServer(NAME, False)
    finally:
        manager.interactive = interactive


def confirm_restart(text: str) -> None:
    """Ask whether to restart Slicer, and do."""
    slicer.app.confirmRestart(text)


def _manager() -> Any:
    return slicer.app.extensionsManagerModel() if hasattr(slicer.app, "extensionsManagerModel") else None
