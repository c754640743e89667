"""Folder for Matplotlib, which insists on one for its list of fonts: the user's, or else one that goes with the job.

In a container whose disk cannot be written, Matplotlib would make one among the temporary files and warn of that, or
fail where there are none.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

VARIABLE = "MPLCONFIGDIR"


@contextlib.contextmanager
def matplotlib_folder(staging: Path) -> Iterator[None]:
    """A block that imports Matplotlib, with a folder for it in ``staging`` where its own cannot be written."""
    if all(map(_writable, _own_folders())):
        yield
        return
    before = os.environ.get(VARIABLE)
    with tempfile.TemporaryDirectory(dir=staging) as lent:
        os.environ[VARIABLE] = lent
        try:
            yield
        finally:
            os.environ.pop(VARIABLE)
            if before is not None:
                os.environ[VARIABLE] = before


def _own_folders() -> list[str]:
    """Where Matplotlib would put its settings and its caches."""
    if os.environ.get(VARIABLE):
        return [os.environ[VARIABLE]]
    home = os.path.expanduser("~")
    if not sys.platform.startswith(("linux", "freebsd")):
        return [os.path.join(home, ".matplotlib")]
    bases = (("XDG_CONFIG_HOME", ".config"), ("XDG_CACHE_HOME", ".cache"))
    return [os.path.join(os.environ.get(name) or os.path.join(home, base), "matplotlib") for name, base in bases]


def _writable(folder: str) -> bool:
    """Whether a folder can be written or made."""
    place = os.path.abspath(folder)
    while not os.path.lexists(place):
        place = os.path.dirname(place)
    return os.path.isdir(place) and os.access(place, os.W_OK | os.X_OK)
