"""Child process of a cohort's task: a crash of it, or its want of memory, is one scan's failure and no more."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from CTSuperResolutionLib.cohort.task import CohortOutcome, CohortTask
from CTSuperResolutionLib.job.job_queue import JobRequest

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "CTSuperResolutionLib", "serve")
POLL_S = 0.1
STOP_S = 0.5
"""Seconds that a child has to end by itself; this process has not many more, and a killed one is tidied after, too."""


class RunningTask:
    """A task that a child process is at work on. The child gets its job, and then the end of its input.

    Args:
        task: one that has a job.
        gpu: the number of the GPU that it has for itself; None where it may see all.
    """

    def __init__(self, task: CohortTask, gpu: int | None = None) -> None:
        assert task.job is not None
        self.task = task
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()
        paths = filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        if gpu is not None:
            environment["CUDA_VISIBLE_DEVICES"] = str(gpu)
        # Out of reach of the terminal's Ctrl-C, which this process answers for both.
        apart: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        streams: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": self._output, "stderr": subprocess.DEVNULL}
        self._child = subprocess.Popen(COMMAND, env=environment, **streams, **apart)
        assert self._child.stdin is not None
        with contextlib.suppress(OSError):  # it is no more, and has said nothing
            self._child.stdin.write(JobRequest(task.name, task.job).to_line().encode())
            self._child.stdin.close()

    def outcome(self) -> CohortOutcome | None:
        """What became of it; None while it is at work."""
        code = self._child.poll()
        if code is None:
            return None
        event = self._last_event()
        if event is not None:
            return CohortOutcome.of_event(self.task.key, event)
        problem = f"The process ended without a result (exit code {code}), most often for want of memory."
        return CohortOutcome.failed(self.task.key, "crash", problem)

    def stop(self) -> None:
        """End it, if it has not ended; nothing of what is not done stays."""
        self._child.terminate()
        try:
            self._child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._output.close()

    def _last_event(self) -> dict[str, Any] | None:
        """The result or the error of the job, as far as the child came to say one."""
        self._output.seek(0)
        for line in self._output.read().decode("utf-8", "replace").splitlines():
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if event.get("id") == self.task.name and event["event"] in ("result", "error"):
                    return event
        return None


def run_task(task: CohortTask, check: Callable[[], None] = lambda: None) -> CohortOutcome:
    """Do a task.

    Args:
        task: what to do; why it cannot be done is its outcome, too.
        check: called ten times a second; what it raises ends the child.
    """
    if task.job is None:
        return CohortOutcome.failed(task.key, "input", str(task.error))
    running = RunningTask(task)
    try:
        while (outcome := running.outcome()) is None:
            check()
            time.sleep(POLL_S)
        return outcome
    finally:
        running.stop()
