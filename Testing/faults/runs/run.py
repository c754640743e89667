"""A run under way: its process, its streams, and whether it still gets on."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from runs.fault import Fault, Reader
from runs.starting import Process, Streams

PIPE_BYTES = 4096
"""Size of the pipe to a reader who is not plain: small, so that it fills."""

SLOW_BYTES = 500
"""What a slow reader takes at a time, ten times a second."""

IDLE_SECONDS = 10.0
"""A process that takes no CPU time for as long hangs, however busy the computer is."""

LONGEST_SECONDS = 180.0
"""A process that takes longer than this hangs, however busy it is."""

SET_PIPE_SIZE = 1031  # F_SETPIPE_SZ of Linux


class Run:
    """One process of ``ctsr run`` with pipes to its streams.

    Args:
        fault: whose reader and stdin it gets.
        start: starts the process with its streams.

    Attributes:
        pid: of the process.
        code: its exit code, negative after a signal; None while it runs.
        out: what it has written to standard output.
        err: what it has written to standard error.
        used: CPU seconds that it has taken: unlike the clock's, they do not depend on what else the computer does.
        worked: those that it had taken when its last word came; the end of an interpreter takes long, and nothing is
            left to disturb.
        hangs: whether it had to be ended.
    """

    def __init__(self, fault: Fault, start: Callable[[Streams], Process]) -> None:
        self._reader = fault.reader
        self.code: int | None = None
        self.out, self.err = b"", b""
        self.hangs = False
        stdin, self._stdin = _stdin(fault.stdin)
        (self._stdout, stdout), (self._stderr, stderr) = os.pipe(), os.pipe()
        if not self._reader.is_plain:
            fcntl.fcntl(stdout, SET_PIPE_SIZE, PIPE_BYTES)
        for end in (self._stdout, self._stderr):
            os.set_blocking(end, False)
        try:
            self._process = start((stdin, stdout, stderr))
        finally:
            for end in (stdin, stdout, stderr):
                if end >= 0:
                    os.close(end)
        self.pid = self._process.pid
        self._since = self._moved = time.monotonic()
        self.used = self.worked = 0.0
        self._rests_until: float | None = None
        self._next_read = self._since

    @property
    def idle(self) -> float:
        """Seconds for which it has taken no CPU time."""
        return time.monotonic() - self._moved

    @property
    def has_told_the_result(self) -> bool:
        """Whether its last word is out."""
        return b'"event": "result"' in self.out or b" voxels of " in self.out

    @property
    def is_stopped(self) -> bool:
        """Whether it has been stopped by SIGSTOP."""
        return _status(self.pid).get("State", "").startswith("T")

    @property
    def handles_signals(self) -> bool:
        """Whether it has a handler for SIGTERM by now."""
        return bool(int(_status(self.pid).get("SigCgt", "0"), 16) >> (signal.SIGTERM - 1) & 1)

    def send(self, number: int) -> None:
        """A signal; the time that it has to show an effect begins."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)
        self._moved = time.monotonic()

    def look(self) -> bool:
        """Read what there is to read, see whether it has ended or hangs, and say whether it is over."""
        if self.code is None:
            self.code = self._process.poll()
            self._read()
            if self.code is None:
                self._look_for_progress()
            else:
                self._close()
        return self.code is not None

    def kill(self) -> None:
        """End it, and wait for that."""
        self.send(signal.SIGKILL)
        while not self.look():
            time.sleep(0.01)

    def _look_for_progress(self) -> None:
        now = time.monotonic()
        with contextlib.suppress(psutil.Error):
            times = psutil.Process(self.pid).cpu_times()
            resting = self._rests_until is not None and now < self._rests_until
            if times.user + times.system > self.used or self.is_stopped or resting:
                self._moved, self.used = now, times.user + times.system
        if not self.has_told_the_result:
            self.worked = self.used
        if self.idle > IDLE_SECONDS or now - self._since > LONGEST_SECONDS:
            self.hangs = True
            self.kill()

    def _read(self) -> None:
        self.err += _available(self._stderr)
        reader, now = self._reader, time.monotonic()
        if self._stdout < 0 or (now < self._next_read and self.code is None):
            return
        if reader.is_plain or self.code is not None:
            self.out += _available(self._stdout)
            return
        if reader.slow:
            self._next_read = now + 0.1
        limit = min((n for n in (reader.leaves_after, reader.rests_after) if n is not None), default=1 << 30)
        self.out += _available(self._stdout, SLOW_BYTES if reader.slow else limit)
        if reader.leaves_after is not None and len(self.out) >= reader.leaves_after:
            os.close(self._stdout)
            self._stdout = -1
        elif reader.rests_after is not None and len(self.out) >= reader.rests_after:
            self._rests_until = self._next_read = now + reader.rest
            self._reader = Reader()

    def _close(self) -> None:
        for end in (self._stdout, self._stderr, self._stdin):
            if end >= 0:
                os.close(end)


def _stdin(kind: str) -> Streams | tuple[int, int]:
    """Standard input for the run, and the end of it that stays here; -1 for none."""
    if kind == "closed":
        return -1, -1
    if kind == "null":
        return os.open(os.devnull, os.O_RDONLY), -1
    theirs, ours = os.pipe()
    if kind == "noise":
        os.write(ours, b"\xff\x00cance\nl " * 3000)
    if kind == "ended":
        os.close(ours)
        return theirs, -1
    return theirs, ours


def _available(descriptor: int, most: int = 1 << 30) -> bytes:
    """What a pipe holds now, up to so many bytes."""
    found = b""
    with contextlib.suppress(BlockingIOError):
        while len(found) < most and (part := os.read(descriptor, min(most - len(found), 1 << 16))):
            found += part
    return found


def _status(pid: int) -> dict[str, str]:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    return {name: rest.strip() for name, _, rest in (line.partition(":") for line in lines)}
