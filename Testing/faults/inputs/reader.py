"""Reader: a worker process that reads scans, started again where it dies, and ended where it hangs."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

LONGEST_SECONDS = 10.0
"""CPU time that one scan may take, and time for which a worker may take none at all."""

LOADING_SECONDS = 120.0
"""Time for a worker to load its libraries."""


class Reader:
    """Reads scans in a process of its own.

    Args:
        kind: product or others.
        temporary: folder for the temporary files of the process.
    """

    def __init__(self, kind: str, temporary: Path) -> None:
        self._kind, self._temporary = kind, temporary
        self._process: subprocess.Popen | None = None

    def read(self, path: Path, out: Path) -> dict[str, Any]:
        """What the worker answers, or ``crash`` and ``hang`` where it does not."""
        if self._process is None:
            command = [sys.executable, str(Path(__file__).with_name("worker.py")), self._kind]
            environment = {**os.environ, "TMPDIR": str(self._temporary), "PYTHONDONTWRITEBYTECODE": "1"}
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
            )
            idle = LOADING_SECONDS
        else:
            idle = LONGEST_SECONDS
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"path": str(path), "out": str(out)}).encode() + b"\n")
        self._process.stdin.flush()
        if not self._answers(idle):
            self.close()
            return {"hang": True}
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            self.close()
            return {"crash": signal.Signals(-code).name if code < 0 else f"exit code {code}"}
        return json.loads(line)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _answers(self, idle: float) -> bool:
        """Whether an answer, or the end of the process, comes before it has taken too long."""
        assert self._process is not None
        process = psutil.Process(self._process.pid)
        first = used = _seconds(process)
        moved = time.monotonic()
        while not select.select([self._process.stdout], [], [], 0.2)[0]:
            now, seconds = time.monotonic(), _seconds(process)
            if seconds > used + 0.02:
                moved, used = now, seconds
            if now - moved > idle or used - first > max(idle, LONGEST_SECONDS):
                return False
        return True


def _seconds(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.Error):
        times = process.cpu_times()
        return times.user + times.system
    return 0.0
