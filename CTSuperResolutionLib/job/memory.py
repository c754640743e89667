"""Free main memory, found without any package: the panel asks before anything is installed."""

from __future__ import annotations

import ctypes
import re
import subprocess
import sys
from pathlib import Path

from CTSuperResolutionLib.errors import JobError

UNITS = {"MB": 10**6, "GB": 10**9}

CGROUP = Path("/sys/fs/cgroup")


def parse_memory(text: object) -> int:
    """Bytes of a text such as "4GB" or "1500 MB".

    Raises:
        JobError: not of that form, or nothing.
    """
    found = re.fullmatch(r"\s*([0-9]{1,6}(?:\.[0-9]{1,3})?)\s*(MB|GB)\s*", str(text).upper())
    count = int(float(found[1]) * UNITS[found[2]]) if found and isinstance(text, str) else 0
    if not count:
        raise JobError(f"The memory of a job is a number of MB or GB, such as 4GB, not '{text}'.")
    return count


def free_memory() -> int | None:
    """Bytes of main memory that a new process may take, within a container's limit; None where that is not known."""
    try:
        if sys.platform == "win32":
            return _windows()
        if sys.platform == "darwin":
            return _macos()
        return int(min(_linux(), _container()))
    except (OSError, ValueError, KeyError, TypeError, IndexError, subprocess.SubprocessError):
        return None


def _linux() -> int:
    lines = Path("/proc/meminfo").read_text().splitlines()
    kilobytes = {name: rest.split()[0] for name, _, rest in (line.partition(":") for line in lines)}
    return 1024 * int(kilobytes["MemAvailable"])


def _container() -> int | float:
    """Bytes that a control group leaves; infinite where it sets no limit."""
    try:
        limit = int((CGROUP / "memory.max").read_text())
        used = int((CGROUP / "memory.current").read_text())
        reclaimable = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return float("inf")  # no limit: "max", or no such file
    return max(limit - used + int(reclaimable.get("inactive_file", 0)), 0)


def _macos() -> int:
    listed = subprocess.run(["vm_stat"], capture_output=True, text=True, timeout=2, check=True).stdout
    page, free, inactive = (
        int(re.findall(pattern, listed)[0])
        for pattern in (r"page size of (\d+)", r"Pages free:\s+(\d+)", r"Pages inactive:\s+(\d+)")
    )
    return page * (free + inactive)


class _MemoryStatus(ctypes.Structure):
    """The structure that Windows' GlobalMemoryStatusEx fills in."""

    _fields_ = (
        *((name, ctypes.c_ulong) for name in ("length", "load")),
        *((name, ctypes.c_ulonglong) for name in ("total", "available", "p", "p_free", "v", "v_free", "v_extended")),
    )


def _windows() -> int:
    if sys.platform != "win32":
        raise OSError
    status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
    if not ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        raise OSError
    return status.available
