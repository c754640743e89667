"""Worker: one process that does jobs one after another, as lines ask for them, with everything loaded once."""

from __future__ import annotations

import threading
import time
import traceback
from typing import Any

from CTSuperResolutionLib.errors import Cancelled, JobError
from CTSuperResolutionLib.job.cancellation import Cancellation
from CTSuperResolutionLib.job.events import Reporter
from CTSuperResolutionLib.job.input_lines import input_lines
from CTSuperResolutionLib.job.job_queue import BadLine, CancelRequest, JobQueue, JobRequest, parse_line
from CTSuperResolutionLib.job.memory import free_memory
from CTSuperResolutionLib.output.run_job import find_scan, run_job

LEAST_FREE = 500_000_000
"""Bytes of memory that must be free for a worker without a job to stay: others need what it holds."""

LOOK_S = 0.2
"""Seconds between two looks at whether there is reason to end."""


def serve(stdin: int, progress: Reporter, *, idle_seconds: float, debug: bool = False) -> dict[str, Any]:
    """Do jobs until there is reason to end: no line will come, none came for long, or memory is short.

    The events of a job carry its id, and exactly one of them is a ``result`` or an ``error``. What is wrong with one
    job, or with a line, is said and ends nothing.

    Args:
        stdin: the descriptor that lines are read from, see :func:`.parse_line`.
        progress: of the whole process; what stops it stops the job under way and ends the worker.
        idle_seconds: how long the worker stays without a job.
        debug: print tracebacks to standard error.

    Returns:
        The fields of the final event: ``jobs`` that were begun, and why the worker ``ended``.

    Raises:
        Cancelled: the process was asked to stop.
    """
    queue = JobQueue(lambda request, reason: _refuse(progress, request.id, Cancelled(f"Cancelled: {reason}.")))
    threading.Thread(target=_listen, args=(stdin, queue, progress), name="requests", daemon=True).start()
    begun, since = 0, time.monotonic()
    while True:
        with progress.cancellation.part() as part:
            request = queue.take(LOOK_S, part)
            if request is not None:
                _do(request, progress.of_job(request.id, part), debug)
                queue.finish()
        progress.check()
        if request is not None:
            begun += 1
            _forget()
            since = time.monotonic()
        elif (reason := _reason_to_end(queue, time.monotonic() - since, idle_seconds)) is not None:
            return {"jobs": begun, "ended": reason}


def _do(request: JobRequest, progress: Reporter, debug: bool) -> None:
    """One job, to its last event."""
    progress.cancellation.on_kill(lambda: progress.error(Cancelled(progress.cancellation.message)))
    try:
        with progress.ticking():
            progress.check()
            found = run_job(request.job, progress, find_scan(request.job), picture=not request.is_try)
        progress.result(found)
    except Exception as error:
        if debug:
            traceback.print_exc()
        progress.error(error)


def _listen(stdin: int, queue: JobQueue, progress: Reporter) -> None:
    for line in input_lines(stdin):
        try:
            request = parse_line(line)
        except BadLine as bad:
            _refuse(progress, bad.id, bad.error)
            continue
        if isinstance(request, CancelRequest):
            queue.cancel(request.id)
        else:
            queue.add(request)
    queue.end()


def _refuse(progress: Reporter, id: str | None, error: JobError | Cancelled) -> None:
    progress.of_job(id, Cancellation()).error(error)


def _reason_to_end(queue: JobQueue, idle: float, most_idle: float) -> str | None:
    if queue.ended:
        return "end of input"
    if idle >= most_idle:
        return "idle"
    free = free_memory()
    return "memory" if free is not None and free < LEAST_FREE else None


def _forget() -> None:
    from CTSuperResolutionLib import machine

    machine.forget_earlier_work()
