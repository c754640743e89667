"""Trigger of a fault: the call of a layer at which it comes, and what comes.

A plan has ``layer`` (file, clock, allocation) and ``at``, the number of the call, from 1. Beside these:

=============  =======================================================================================================
error          name of the errno that a call of the file layer fails with
lasting        whether every later call that creates or writes fails as well, as on a disk that stays full
signal         signal that the process gives itself in place of an error
jump           seconds that the clock jumps by
address_space  bytes of address space that the process may take beyond what it has
file_size      bytes that no file may exceed
log            file that gets a line a call
=============  =======================================================================================================
"""

from __future__ import annotations

import errno
import os
import resource
import tempfile
import threading
from pathlib import Path
from typing import Any

CREATING = ("open", "write", "mkdir", "fsync", "write image")

_plan: dict[str, Any] = {}
_calls = 0
_lock = threading.Lock()
_log: int | None = None
_write = os.write  # as they are, for this module comes before the wrappers
_open = os.open


def arm(plan: dict[str, Any]) -> None:
    """Put a plan in force; calls count from here."""
    global _plan, _calls, _log
    tempfile.gettempdir()  # Python tries, once, whether it can write there; that is not what a plan is about
    _plan, _calls = plan, 0
    _log = _open(plan["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if "log" in plan else None
    if "address_space" in plan:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + plan["address_space"]
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    if "file_size" in plan:
        resource.setrlimit(resource.RLIMIT_FSIZE, (plan["file_size"], plan["file_size"]))
    if plan.get("layer") == "allocation":
        from injection import allocation

        allocation.install()


def count(layer: str) -> int:
    """Count a call of a layer; 0 unless the plan is about it."""
    global _calls
    if _plan.get("layer") != layer:
        return 0
    with _lock:
        _calls += 1
        return _calls


def jump(layer: str) -> float:
    """What the clock is off by, after another look at it."""
    return _plan["jump"] if 0 < _plan.get("at", 0) <= count(layer) else 0.0


def strikes(layer: str, call: str, about: object = "") -> bool:
    """Whether this call, one of a layer, is to fail. A signal that is planned in place of that comes here."""
    number = count(layer)
    if number and _log is not None:
        _write(_log, f"{call} {about}\n".encode(errors="backslashreplace"))
    at = _plan.get("at", 0)
    if not number or not at or number < at:
        return False
    if number == at and "signal" in _plan:
        os.kill(os.getpid(), _plan["signal"])
    return "signal" not in _plan and (number == at or (_plan.get("lasting", False) and call in CREATING))


def error(about: object = None) -> OSError:
    """The planned error of a system call about a file."""
    number = getattr(errno, _plan["error"])
    return OSError(number, os.strerror(number), *([about] if isinstance(about, str | os.PathLike) else []))
