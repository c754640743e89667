"""Processes as cancelling needs them: parents, pipes and terminals, on POSIX and on Windows."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import stat
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""Where the library lies: a child need not have it on its path."""

_SYNCHRONIZE = 0x00100000


def child_environment() -> dict[str, str]:
    """The environment of a child process that imports this library."""
    paths = filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def parent_watch() -> Callable[[], bool]:
    """A function that says whether the process that started this one is still alive."""
    parent = os.getppid()
    if sys.platform != "win32":
        return lambda: os.getppid() == parent
    kernel = ctypes.windll.kernel32
    kernel.OpenProcess.restype = ctypes.c_void_p
    handle = ctypes.c_void_p(kernel.OpenProcess(_SYNCHRONIZE, False, parent))
    return lambda: not handle or kernel.WaitForSingleObject(handle, 0) != 0


def outlives_its_parent() -> bool:
    """Whether the user asked, with nohup, that the end of the shell is not the end of this process."""
    return sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def is_pipe(descriptor: int) -> bool:
    """Whether a descriptor is a pipe or socket, so that another program may be at its other end."""
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def in_background(descriptor: int) -> bool:
    """Whether a descriptor is a terminal that another process group has: reading from it would stop this process."""
    return sys.platform != "win32" and os.isatty(descriptor) and os.tcgetpgrp(descriptor) != os.getpgrp()


def read_available(descriptor: int) -> bytes | None:
    """Read what is there at once: b"" when that is nothing yet, None at the end.

    Never leaves a read pending: on Windows, one on stdin would block DLLs that look at the standard handles as they
    load, and numpy's and torch's do.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            waiting = ctypes.c_ulong()
            handle = ctypes.c_void_p(msvcrt.get_osfhandle(descriptor))
            if not ctypes.windll.kernel32.PeekNamedPipe(handle, None, 0, None, ctypes.byref(waiting), None):
                return None
            return os.read(descriptor, waiting.value) if waiting.value else b""
        if in_background(descriptor) or not select.select([descriptor], [], [], 0)[0]:
            return b""
        return os.read(descriptor, 4096) or None
    except (OSError, ValueError):
        return None


def reader_gone(descriptor: int) -> bool:
    """Whether nobody can read any more what is written to a pipe. Always False on Windows, where a write tells."""
    if sys.platform == "win32" or not is_pipe(descriptor):
        return False
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(flags & (select.POLLERR | select.POLLHUP) for _, flags in poll.poll(0))
