"""Entry point of ``ctsr``: what has to be in place before its modules, which take a moment to load, are imported."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from CTSuperResolutionLib.cli.streams import (
    STDERR,
    STDOUT,
    flush_standard_streams,
    open_standard_streams,
    wants_json,
)
from CTSuperResolutionLib.errors import Cancelled

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
"""As Cancellation has them, whose module is not loaded yet."""


def entry() -> NoReturn:
    """The script ``ctsr``."""
    open_standard_streams()
    ended: list[int] = []
    _stop_quietly(ended)
    code = 1
    try:
        from CTSuperResolutionLib.cli.main import main

        code = main(ended=ended.append)
    finally:
        # What is done is done: from here on, Ctrl-C may hurry the end but not spoil the exit code.
        _on_stop(lambda number, frame: os._exit(code))
        flush_standard_streams()
    if code == Cancelled.exit_code:
        # The interpreter's own end waits for threads of libraries, and a cancelled job has no time for that.
        os._exit(code)
    sys.exit(code)


def _stop_quietly(ended: list[int]) -> None:
    """While Cancellation does not watch the signals, have them end the process with its exit code and one sentence.

    Once the last word is said, ``ended`` has the exit code that it stands for, and there is nothing left to say.
    """
    as_json = wants_json(sys.argv[1:])

    def stop(number: int, frame: FrameType | None) -> None:
        if ended:
            os._exit(ended[0])
        message = f"Cancelled: stopped by {signal.Signals(number).name}."
        # Not by modules: this may be in the midst of importing them.
        event = f'{{"event": "error", "kind": "cancelled", "message": "{message}", "exit_code": {Cancelled.exit_code}}}'
        line = event if as_json else f"ctsr: {message}"
        with contextlib.suppress(OSError):
            os.write(STDOUT if as_json else STDERR, f"{line}\n".encode())
        os._exit(Cancelled.exit_code)

    _on_stop(stop)


def _on_stop(handler: Callable[[int, FrameType | None], None]) -> None:
    for number in (getattr(signal, name) for name in SIGNALS if hasattr(signal, name)):
        if signal.getsignal(number) != signal.SIG_IGN:  # as a shell has it for its background jobs
            signal.signal(number, handler)
