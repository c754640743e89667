"""Location of CTSuperResolutionLib, whose job module the panel imports and which the background process runs."""

from __future__ import annotations

import sys
from pathlib import Path

_MODULE = Path(__file__).resolve().parents[1]  # the folder that CTSuperResolution.py is in


def module_folder() -> Path:
    """The folder that this package and the module's file are in."""
    return _MODULE


def library_folder() -> Path:
    """The folder that holds the package CTSuperResolutionLib.

    That is the module's own folder where the extension is installed, and the checkout, one above, where the module is
    given to ``--additional-module-paths``.

    Raises:
        FileNotFoundError: it is in neither.
    """
    for folder in (_MODULE, _MODULE.parent):
        if (folder / "CTSuperResolutionLib" / "__init__.py").is_file():
            return folder
    raise FileNotFoundError(
        f"CTSuperResolutionLib is neither in {_MODULE} nor in {_MODULE.parent}; install the extension again."
    )


def add_to_path() -> None:
    """Let ``import CTSuperResolutionLib`` find this panel's library, before any other of that name."""
    root = str(library_folder())
    if root not in sys.path:
        sys.path.insert(0, root)
