"""Standard streams of ``ctsr``: their descriptors, and whether what it writes is JSON or text."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TextIO

STDIN, STDOUT, STDERR = 0, 1, 2


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether events are to be JSON; found without a parser, so that an error in the command line is an event, too."""
    if takes_jobs(arguments):
        return True
    pairs = zip(arguments, [*arguments[1:], ""], strict=False)
    return any(name == "--events=json" or (name, value) == ("--events", "json") for name, value in pairs)


def takes_jobs(arguments: Sequence[str]) -> bool:
    """Whether standard input brings jobs, and not a line that cancels the only one."""
    return list(arguments[:1]) == ["serve"]


def open_standard_streams() -> None:
    """Put the null device where the caller left standard streams closed; files opened later would take their place."""
    for number, name, mode in ((STDIN, "stdin", "r"), (STDOUT, "stdout", "w"), (STDERR, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null == number:
                os.set_inheritable(number, True)
            else:
                os.dup2(null, number)
                os.close(null)
        if getattr(sys, name) is None:
            stream = open(number, mode, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115 - to stay
            setattr(sys, name, stream)


def flush_standard_streams() -> None:
    """Write out what is buffered. What nobody takes is dropped: the interpreter would try again and fail loudly."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, stream.fileno())
                os.close(null)


@contextlib.contextmanager
def stderr_for_progress() -> Iterator[TextIO]:
    """Standard error for progress: what is captured of libraries while they read does not take it along."""
    try:
        own = os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding=sys.stderr.encoding, errors="backslashreplace")
    except (OSError, ValueError):  # it is no file
        yield sys.stderr
        return
    try:
        yield own
    finally:
        with contextlib.suppress(OSError, ValueError):
            own.close()


@contextlib.contextmanager
def stdout_for_events() -> Iterator[int]:
    """Standard output for events alone: what libraries print goes to standard error meanwhile."""
    sys.stdout.flush()
    kept = os.dup(STDOUT)
    os.dup2(STDERR, STDOUT)
    try:
        yield kept
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
        os.dup2(kept, STDOUT)
        os.close(kept)
