"""A throw-away home for Slicer: settings, temporary files and a PythonSlicer that is this Python."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Folders:
    """Where the host keeps things; everything is deleted at exit."""

    root: Path

    @property
    def home(self) -> Path:
        """Slicer's installation."""
        return self.root / "Slicer"

    @property
    def temporary(self) -> Path:
        """slicer.app.temporaryPath."""
        return self.root / "Temporary"

    @property
    def settings(self) -> Path:
        """Folder of the settings files."""
        return self.root / "Settings"

    @property
    def python(self) -> Path:
        """PythonSlicer."""
        return self.home / "bin" / ("PythonSlicer.bat" if os.name == "nt" else "PythonSlicer")


def make() -> Folders:
    """Make them and put PythonSlicer on the PATH, as Slicer's launcher does."""
    folders = Folders(Path(tempfile.mkdtemp(prefix="slicer-host-")))
    atexit.register(shutil.rmtree, folders.root, ignore_errors=True)
    for folder in (folders.home / "bin", folders.home / "share" / "ColorFiles", folders.temporary, folders.settings):
        folder.mkdir(parents=True)
    (folders.home / "share" / "presets.xml").write_text("<MRML></MRML>\n")
    if os.name == "nt":
        folders.python.write_text(f'@"{sys.executable}" %*\r\n')
    else:
        folders.python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        folders.python.chmod(0o755)
    os.environ["PATH"] = f"{folders.python.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return folders
