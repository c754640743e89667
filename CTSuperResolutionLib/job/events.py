"""Events: progress, notes and the end of a job, one JSON object a line.

=========  ==========================================================================================================
event      fields
=========  ==========================================================================================================
plan       ``stages``: names of the stages to come, with weights
progress   ``stage``, ``step``, ``steps``, ``elapsed_s``, ``remaining_s`` and ``fraction`` of the whole job (both null
           while nothing is planned), ``memory_mb``, ``peak_mb``
note       ``message``: one sentence that the user should see
result     ``elapsed_s``, ``peak_mb`` and what the command found; the last line of a job that worked
error      ``kind`` (cancelled, input, memory, install, internal), ``message``: one sentence in the command line's
           words, ``exit_code``, and, of all kinds but cancelled, the ``problem`` and its ``remedies``, from which
           others word a sentence (:func:`CTSuperResolutionLib.errors.read_remedies`); the last line of a job that
           did not work
=========  ==========================================================================================================

Exactly one ``result`` or ``error`` ends the stream; who reads it need not wait for the end of the file.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

from CTSuperResolutionLib.errors import (
    Advice,
    Cancelled,
    JobError,
    LowerPreset,
    LowerScale,
    ReportBug,
    SmallerRegion,
)
from CTSuperResolutionLib.job.cancellation import Cancellation
from CTSuperResolutionLib.job.timeline import Steps, Timeline

STORAGE_ERRORS = (errno.EACCES, errno.EDQUOT, errno.EIO, errno.ENOSPC, errno.EPERM, errno.EROFS)
"""What an operating system says of a disk or a folder that does not take or give what is asked of it."""

OUT_OF_MEMORY = (
    "can't allocate memory",
    "Cannot allocate memory",
    "can't start new thread",
    "failed to map segment from shared object",
    "cannot map zero-fill pages",
)
"""What torch's allocator, the C library, Python's threads and the loader of libraries say where memory is short."""


class Progress:
    """Progress of the library's work, told to nobody: the default for library calls."""

    def plan(self, weights: Mapping[str, float], rounds: int = 1) -> None:
        """Announce stages to come, each with about the seconds it takes on a plain computer, in all of its rounds."""

    def stage(self, name: str, steps: int = 1) -> None:
        """A stage of that many steps begins; the one before it is over. Raises Cancelled when that was asked for."""

    def advance(self, steps: Steps = 1) -> None:
        """Steps of the stage are done, or a part of one. Raises Cancelled when that was asked for."""

    def check(self) -> None:
        """Raises Cancelled when that was asked for. Long loops without steps call this every half second or so."""

    def note(self, message: str) -> None:
        """Tell the user one sentence."""

    def stages(self) -> dict[str, dict[str, float]]:
        """Time and memory of every stage so far: ``{name: {"seconds": …, "peak_mb": …}}``."""
        return {}

    def in_parts(self, count: int) -> Progress:
        """Progress of one of these steps, for work that does it in so many parts."""
        return _Parts(self, count)


class _Parts(Progress):
    """Steps that are equal parts of one step of another progress; stages are that one's own matter."""

    def __init__(self, whole: Progress, count: int) -> None:
        self._whole, self._part = whole, Fraction(1, count)

    def advance(self, steps: Steps = 1) -> None:
        self._whole.advance(steps * self._part)

    def check(self) -> None:
        self._whole.check()

    def note(self, message: str) -> None:
        self._whole.note(message)


class WithinStep(Progress):
    """Stages and steps that are one step of another progress: told to nobody, and cancelled with it."""

    def __init__(self, whole: Progress) -> None:
        self._whole = whole

    def stage(self, name: str, steps: int = 1) -> None:
        self._whole.check()

    def advance(self, steps: Steps = 1) -> None:
        self._whole.check()

    def check(self) -> None:
        self._whole.check()


class Reporter(Progress):
    """Turns progress into events, at most five a second, and a cancel request into :class:`Cancelled`.

    Args:
        write: takes one event.
        cancellation: whose requests end the job.
        memory: ``{"memory_mb": now, "peak_mb": most so far, …}`` of this process.
        clock: seconds, rising.
        interval: least seconds between two progress events within a stage.
        longest: most seconds between two of them while :meth:`ticking`.
        wording: makes the one sentence of an error.
    """

    def __init__(
        self,
        write: Callable[[dict[str, Any]], None],
        *,
        cancellation: Cancellation | None = None,
        memory: Callable[[], Mapping[str, float]] = dict,
        clock: Callable[[], float] = time.monotonic,
        interval: float = 0.2,
        longest: float = 1.0,
        wording: Callable[[JobError], str] = str,
    ) -> None:
        self.cancellation = cancellation or Cancellation()
        self._write = write
        self._memory = memory
        self._clock = clock
        self._interval = interval
        self._longest = longest
        self._wording = wording
        self._timeline = Timeline(clock)
        self._last = -interval
        self._peaks: dict[str, float] = {}
        self._process_peak = 0.0
        self._ended = False
        self._lock = threading.Lock()

    def of_job(self, id: str | None, cancellation: Cancellation) -> Reporter:
        """A reporter for one of several jobs that this process does: its events go the same way, with the job's id."""
        return Reporter(
            lambda event: self._write({"id": id, **event}),
            cancellation=cancellation,
            memory=self._memory,
            clock=self._clock,
            interval=self._interval,
            longest=self._longest,
            wording=self._wording,
        )

    @contextlib.contextmanager
    def ticking(self) -> Iterator[None]:
        """Until the block ends, have another thread tell of the time that passes within a long step.

        Nothing is told of a stage whose steps are all done: there is nothing under way, and the user may be asked.
        """
        stopped = threading.Event()

        def tick() -> None:
            while not stopped.wait(self._longest / 4):
                with self._lock:
                    line, quiet = self._timeline, self._clock() - self._last
                    if line.step < line.steps and quiet >= self._longest and not self._ended:
                        self._tell()

        thread = threading.Thread(target=tick, name="ticking", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join(1)  # it may be in a write that nobody takes

    def plan(self, weights: Mapping[str, float], rounds: int = 1) -> None:
        with self._lock:
            self._timeline.plan(weights, rounds)
            self._write({"event": "plan", "stages": dict(weights)})

    def stage(self, name: str, steps: int = 1) -> None:
        self.check()
        with self._lock:
            self._sample()
            self._timeline.begin(name, steps)
            self._tell()

    def advance(self, steps: Steps = 1) -> None:
        self.check()
        with self._lock:
            self._timeline.advance(steps)
            complete = self._timeline.step == self._timeline.steps
            if complete or self._clock() - self._last >= self._interval:
                self._tell()

    def check(self) -> None:
        if self.cancellation.requested:
            raise Cancelled(self.cancellation.message)

    def note(self, message: str) -> None:
        with self._lock:
            self._write({"event": "note", "message": message})

    def stages(self) -> dict[str, dict[str, float]]:
        with self._lock:
            self._sample()
            seconds = self._timeline.seconds()
        return {name: {"seconds": round(s, 3), "peak_mb": self._peaks.get(name, 0.0)} for name, s in seconds.items()}

    def result(self, found: Mapping[str, Any]) -> None:
        """End the stream with what came out. Does nothing when it has ended already."""
        with self._lock:
            memory = self._sample()
            times = {"elapsed_s": round(self._timeline.elapsed(), 3), "peak_mb": memory.get("peak_mb")}
            self._end({"event": "result", **times, **found})

    def error(self, error: BaseException) -> None:
        """End the stream with why nothing came out. Does nothing when it has ended already."""
        with self._lock:
            self._end({"event": "error", **describe_error(error, self._wording)})

    def _end(self, event: dict[str, Any]) -> None:
        if not self._ended:
            self._ended = True
            self._write(event)

    def _tell(self) -> None:
        self._last = self._clock()
        memory = self._sample()
        line = self._timeline
        remaining, fraction = line.remaining(), line.fraction()
        self._write(
            {
                "event": "progress",
                "stage": line.stage,
                "step": int(line.step),
                "steps": line.steps,
                "elapsed_s": round(line.elapsed(), 1),
                "remaining_s": None if remaining is None else round(remaining, 1),
                "fraction": None if fraction is None else round(fraction, 6),
                **memory,
            }
        )

    def _sample(self) -> Mapping[str, float]:
        """Memory now, credited to the running stage. The process's own peak counts where the stage raised it."""
        memory = self._memory()
        now, peak = memory.get("memory_mb", 0.0), memory.get("peak_mb", 0.0)
        if self._timeline.stage:
            highest = peak if peak > self._process_peak else now
            self._peaks[self._timeline.stage] = max(self._peaks.get(self._timeline.stage, 0.0), highest)
        self._process_peak = max(self._process_peak, peak)
        return memory


class JsonLines:
    """Writes events to a file descriptor, a UTF-8 line each, at once.

    Args:
        descriptor: open for writing.
        on_broken: called once when nobody reads any more; events are dropped from then on.
    """

    def __init__(self, descriptor: int, *, on_broken: Callable[[], None] = lambda: None) -> None:
        self._file = os.fdopen(descriptor, "wb", buffering=0, closefd=False)
        self._on_broken = on_broken
        self._broken = False
        self._lock = threading.Lock()

    def __call__(self, event: dict[str, Any]) -> None:
        rest = memoryview((json.dumps(event, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace"))
        with self._lock:
            while rest and not self._broken:
                try:
                    rest = rest[self._file.write(rest) :]
                except OSError:
                    self._broken = True
                    self._on_broken()


def describe_error(error: BaseException, wording: Callable[[JobError], str] = str) -> dict[str, Any]:
    """The fields of an error event: kind, one sentence, exit code, and the problem with its remedies."""
    if isinstance(error, Cancelled):
        return {"kind": "cancelled", "message": str(error), "exit_code": Cancelled.exit_code}
    kind, exit_code, told = _as_job_error(error)
    return {
        "kind": kind,
        "message": wording(told),
        "problem": told.problem,
        "remedies": [remedy.to_dict() for remedy in told.remedies],
        "exit_code": exit_code,
    }


def _as_job_error(error: BaseException) -> tuple[str, int, JobError]:
    """Kind and exit code of any error, and what to tell of it."""
    if isinstance(error, JobError):
        return "input", JobError.exit_code, error
    if _out_of_memory(error):
        told = JobError("The memory ran out", SmallerRegion(), LowerPreset(), LowerScale())
        return "memory", JobError.exit_code, told
    if isinstance(error, OSError) and error.errno in STORAGE_ERRORS:
        what = "A file" if error.filename is None else str(error.filename)
        told = JobError(
            f"{what} could not be read or written ({error.strerror}); check the folder's permissions and free space."
        )
        return "input", JobError.exit_code, told
    while isinstance(error, ImportError) and isinstance(error.__cause__, ImportError):
        error = error.__cause__  # numpy wraps what happened in a page of advice
    first = (str(error).strip() or "no message").splitlines()[0].rstrip(".")
    if isinstance(error, ImportError):
        problem = f"A Python package that is needed is missing or broken ({first})"
        return "install", 1, JobError(problem, Advice("install CTSuperResolution again"))
    return "internal", 1, JobError(f"internal error: {type(error).__name__}: {first}", ReportBug())


def _out_of_memory(error: BaseException) -> bool:
    """Python's own, CUDA's (torch.OutOfMemoryError), or another error that says so, or that was raised from one."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    if isinstance(error, RuntimeError | ImportError) and any(sign in str(error) for sign in OUT_OF_MEMORY):
        return True
    return error.__cause__ is not None and _out_of_memory(error.__cause__)
