"""Tree of a process and its descendants, ended as a whole: a killed launcher would leave its Python at work."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path


def kill_tree(pid: int) -> None:
    """End a process and all its descendants at once. Those that are gone already are no error."""
    if pid <= 0:
        return
    if os.name == "nt":
        hidden = 0x08000000  # CREATE_NO_WINDOW
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run(["taskkill", "/T", "/F", "/PID", str(pid)], creationflags=hidden, timeout=5, check=False)
        return
    for each in [pid, *descendants(pid)]:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(each, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    """Processes that a process started, and those that they started, and so on, on POSIX."""
    children = defaultdict(list)
    for child, parent in _parents():
        children[parent].append(child)
    found, wanted = [], [pid]
    while wanted:
        found += (new := children.pop(wanted.pop(), []))
        wanted += new
    return found


def is_running(pid: int) -> bool:
    """Whether there is a process of that number. Where that cannot be said, yes."""
    if sys.platform == "win32":
        import ctypes

        handle = ctypes.windll.kernel32.OpenProcess(0x1000, False, pid)  # PROCESS_QUERY_LIMITED_INFORMATION
        if handle:
            ctypes.windll.kernel32.CloseHandle(handle)
        return bool(handle)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _parents() -> list[tuple[int, int]]:
    """(process, its parent) of all processes."""
    if sys.platform == "linux":
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError, ValueError, IndexError):
                # The name, in brackets, may hold anything.
                found.append((int(stat.parent.name), int(stat.read_text().rpartition(")")[2].split()[1])))
        return found
    try:
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    pairs = (line.split() for line in listed.stdout.splitlines())
    return [(int(pair[0]), int(pair[1])) for pair in pairs if len(pair) == 2]
