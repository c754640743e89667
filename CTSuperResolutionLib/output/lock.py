"""Lock on a folder, held by one process at a time and let go of by its end, however it comes."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

FILE = ".ctsr-lock"  # on Windows, where a folder itself cannot be locked


class LockedError(Exception):
    """Another process has the lock."""


def lock_folder(folder: Path) -> Callable[[], None]:
    """Take the lock on a folder, and return what lets go of it.

    Nothing is locked where the file system cannot do that, as some of the network's cannot.

    Raises:
        LockedError: another process, or another part of this one, has it.
    """
    try:
        descriptor = _open_locked(folder)
    except OSError:
        return lambda: None
    return lambda: _close(descriptor)


def _open_locked(folder: Path) -> int:
    if sys.platform == "win32":
        try:  # the system deletes such a file with the process that has it open
            return os.open(folder / FILE, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_TEMPORARY)
        except FileExistsError:
            raise LockedError(folder) from None
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            raise LockedError(folder) from None
        raise
    return descriptor


def _close(descriptor: int) -> None:
    with contextlib.suppress(OSError):
        os.close(descriptor)
