"""Queue of a process that does one job after another: what it is asked on a line, and what it does next."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.cancellation import Cancellation
from CTSuperResolutionLib.job.job import Job, require_shallow
from CTSuperResolutionLib.job.method import shown

ENTRIES = {"id", "job", "try"}
SUPERSEDED = "a newer try takes its place"


@dataclass(frozen=True)
class JobRequest:
    """One job that is asked for.

    Attributes:
        id: what the one who asks calls it; its events carry it.
        job: what to do.
        is_try: whether a newer try takes its place, and nobody looks at its picture.
    """

    id: str
    job: Job
    is_try: bool = False

    def to_line(self) -> str:
        """The line that asks for it, for :func:`parse_line`."""
        return json.dumps({"id": self.id, "try": self.is_try, "job": self.job.to_dict()}) + "\n"


@dataclass(frozen=True)
class CancelRequest:
    """The wish that the job of that id, waiting or under way, be stopped."""

    id: str

    def to_line(self) -> str:
        """The line that asks for it, for :func:`parse_line`."""
        return json.dumps({"cancel": self.id}) + "\n"


class BadLine(Exception):
    """A line that asks for nothing that can be done.

    Attributes:
        id: of the job, where the line has one. error: why.
    """

    def __init__(self, id: str | None, error: JobError) -> None:
        super().__init__(str(error))
        self.id, self.error = id, error


def parse_line(line: bytes) -> JobRequest | CancelRequest:
    """What a line asks for: ``{"id": …, "job": {…}, "try": …}`` or ``{"cancel": id}``.

    Raises:
        BadLine: it is not of these forms, or the job is not allowed.
    """
    id = None
    try:
        values = _values(line)
        id = values["id"] if isinstance(values.get("id"), str) and values["id"] else None
        if set(values) == {"cancel"} and isinstance(values["cancel"], str):
            return CancelRequest(values["cancel"])
        job, is_try = values.get("job"), values.get("try", False)
        if id is None or not isinstance(job, dict) or not isinstance(is_try, bool) or set(values) - ENTRIES:
            raise JobError(
                'A line is {"id": text, "job": {…}}, with "try": true where a newer one takes its place, or '
                f'{{"cancel": id}}, and not {shown(values)}; write it so.'
            )
        require_shallow(job)
        return JobRequest(id, Job.from_dict(job), is_try)
    except JobError as error:
        raise BadLine(id, error) from None


def _values(line: bytes) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise JobError("A line that asks for a job is a JSON object; write it so.")
    return values


class JobQueue:
    """Jobs that wait, and the one under way. One thread adds to it, another takes from it.

    Args:
        on_dropped: told of a job that was stopped before it began, and why.
    """

    def __init__(self, on_dropped: Callable[[JobRequest, str], None]) -> None:
        self._on_dropped = on_dropped
        self._waiting: deque[JobRequest] = deque()
        self._current: tuple[JobRequest, Cancellation] | None = None
        self._ended = False
        self._changed = threading.Condition()

    def add(self, request: JobRequest) -> None:
        """Have a job done after those that wait. A try takes the place of all tries before it."""
        if request.is_try:
            self._stop(lambda other: other.is_try, SUPERSEDED, patient=True)
        with self._changed:
            self._waiting.append(request)
            self._changed.notify()

    def cancel(self, id: str) -> None:
        """Stop the job of that id. Nothing happens where there is none: it may be done by now."""
        self._stop(lambda other: other.id == id, "asked for on stdin", patient=False)

    def end(self) -> None:
        """No more jobs will be added."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    @property
    def ended(self) -> bool:
        """Whether no more jobs will be added."""
        return self._ended

    def take(self, seconds: float, cancellation: Cancellation) -> JobRequest | None:
        """The next job, which is under way from here on; None where none has come after so many seconds, or will come.

        Args:
            seconds: how long to wait for one.
            cancellation: of the job that is taken.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended, seconds)
            if not self._waiting:
                return None
            request = self._waiting.popleft()
            self._current = request, cancellation
            return request

    def finish(self) -> None:
        """The job under way is over."""
        with self._changed:
            self._current = None

    def _stop(self, which: Callable[[JobRequest], bool], reason: str, *, patient: bool) -> None:
        with self._changed:
            dropped = [request for request in self._waiting if which(request)]
            self._waiting = deque(request for request in self._waiting if not which(request))
            current = self._current
        for request in dropped:
            self._on_dropped(request, reason)
        if current is not None and which(current[0]):
            current[1].request(reason, patient=patient)
