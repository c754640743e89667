"""Where ``ctsr`` begins: what has to be in place before its modules, which take a moment to load, are imported."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import NoReturn

from CTSuperResolutionLib.errors import Cancelled

STDIN, STDOUT, STDERR = 0, 1, 2


def entry() -> NoReturn:
    """The script ``ctsr``."""
    open_standard_streams()
    _stop_quietly()
    code = 1
    try:
        from CTSuperResolutionLib.cli.main import main

        code = main()
    finally:
        # What is done is done: from here on, Ctrl-C may hurry the end but not spoil the exit code.
        _on_stop(lambda number, frame: os._exit(code))
        _flush()
    if code == Cancelled.exit_code:
        # The interpreter's own end waits for threads of libraries, and a cancelled job has no time for that.
        os._exit(code)
    sys.exit(code)


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether events are to be JSON; found without a parser, so that an error in the command line is an event, too."""
    pairs = zip(arguments, [*arguments[1:], ""], strict=False)
    return any(name == "--events=json" or (name, value) == ("--events", "json") for name, value in pairs)


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


def _stop_quietly() -> None:
    """Until Cancellation watches the signals, have them end the process with its exit code and one sentence."""
    as_json = wants_json(sys.argv[1:])

    def stop(number: int, frame: FrameType | None) -> None:
        message = f"Cancelled: stopped by {signal.Signals(number).name}."
        # Not by modules: this may be in the midst of importing them.
        event = f'{{"event": "error", "kind": "cancelled", "message": "{message}", "exit_code": {Cancelled.exit_code}}}'
        line = event if as_json else f"ctsr: {message}"
        with contextlib.suppress(OSError):
            os.write(STDOUT if as_json else STDERR, f"{line}\n".encode())
        os._exit(Cancelled.exit_code)

    _on_stop(stop)


def _on_stop(handler: Callable[[int, FrameType | None], None]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:  # as a shell has it for its background jobs
            signal.signal(number, handler)


def _flush() -> None:
    """Write out what is buffered. What nobody takes is dropped: the interpreter would try again and fail loudly."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, stream.fileno())
                os.close(null)
