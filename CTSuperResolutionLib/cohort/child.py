"""Child process that does tasks of a cohort: its crash, or its want of memory, is one scan's failure and no more."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from typing import IO, Any

from CTSuperResolutionLib.cohort.task import CohortOutcome, CohortTask
from CTSuperResolutionLib.job.job_queue import JobRequest
from CTSuperResolutionLib.job.process import child_environment

COMMAND = (sys.executable, "-m", "CTSuperResolutionLib", "serve")
LAST = ("result", "error")
POLL_S = 0.1
STOP_S = 0.5
"""Seconds that a child has to end by itself; this process has not many more, and a killed one is tidied after, too."""


class TaskWorker:
    """A child process that does tasks one after another, with its libraries loaded once; a new one where it ended.

    Args:
        gpu: the number of the GPU that it has for itself; None where it may see all.

    Attributes:
        task: that it is at work on; None between two.
    """

    def __init__(self, gpu: int | None = None) -> None:
        self.task: CohortTask | None = None
        self._gpu = gpu
        self._child: subprocess.Popen[bytes] | None = None
        self._listener: threading.Thread | None = None
        self._event: dict[str, Any] | None = None

    def begin(self, task: CohortTask) -> None:
        """Have a task done that has a job, once the one before is over."""
        assert task.job is not None
        self.task, self._event = task, None
        if self._child is None or self._child.poll() is not None:
            self._start()
        assert self._child is not None and self._child.stdin is not None
        with contextlib.suppress(OSError):  # it has ended, and its output will, too
            self._child.stdin.write(JobRequest(task.name, task.job).to_line().encode())
            self._child.stdin.flush()

    def outcome(self) -> CohortOutcome | None:
        """What became of the task; None while the child is at work."""
        assert self.task is not None and self._child is not None and self._listener is not None
        over = not self._listener.is_alive()  # before the event is looked at: it may come last
        key, event = self.task.key, self._event
        if event is None and not over:
            return None
        self.task = None
        if event is None:
            code = self._child.wait()
            problem = f"The process ended without a result (exit code {code}), most often for want of memory."
            return CohortOutcome.failed(key, "crash", problem)
        if event.get("kind") not in (None, "input"):
            self.stop()  # after any other error, the next task gets a new one
        return CohortOutcome.of_event(key, event)

    def stop(self) -> None:
        """End the child; nothing of what is not done stays."""
        child, self._child = self._child, None
        if child is None:
            return
        child.terminate()
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        assert child.stdin is not None and child.stdout is not None and self._listener is not None
        self._listener.join()
        child.stdout.close()
        with contextlib.suppress(OSError):
            child.stdin.close()

    def _start(self) -> None:
        self.stop()
        environment = child_environment()
        if self._gpu is not None:
            environment["CUDA_VISIBLE_DEVICES"] = str(self._gpu)
        # Out of reach of the terminal's Ctrl-C, which this process answers for both.
        apart: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        streams: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self._child = subprocess.Popen(COMMAND, env=environment, **streams, **apart)
        self._listener = threading.Thread(target=self._listen, args=(self._child.stdout,), daemon=True)
        self._listener.start()

    def _listen(self, output: IO[bytes]) -> None:
        for line in output:
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if self.task is not None and event.get("id") == self.task.name and event["event"] in LAST:
                    self._event = event


def run_task(task: CohortTask) -> CohortOutcome:
    """Do a task; why it cannot be done is its outcome, too."""
    if task.job is None:
        return CohortOutcome.failed(task.key, "input", str(task.error))
    worker = TaskWorker()
    try:
        worker.begin(task)
        while (outcome := worker.outcome()) is None:
            time.sleep(POLL_S)
        return outcome
    finally:
        worker.stop()
