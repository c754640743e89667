"""Cancellation of a job from outside, within two seconds, whatever it is doing."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator

from CTSuperResolutionLib.errors import Cancelled
from CTSuperResolutionLib.job import process

# SIGBREAK is Windows' Ctrl-Break, SIGHUP a closed terminal.
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name))
STDIN = 0


class Cancellation:
    """A request to stop, from a ``cancel`` line on stdin, a signal, or the end of the program that waits for this one.

    The work asks :attr:`requested` often and ends by itself. Where it does not within ``grace`` seconds (it may be
    loading a large library, or deep in one long operation), the watching thread cleans up, says the last words and
    ends the process. A process that does several pieces of work has a :meth:`part` for each.

    Args:
        grace: seconds that the work has to end by itself.
        interval: seconds between two looks at stdin and the parent.
    """

    def __init__(self, *, grace: float = 0.8, interval: float = 0.1) -> None:
        self.requested = False
        self.message = ""
        self._grace = grace
        self._interval = interval
        self._since = 0.0
        self._closed = False
        self._exit_code: int | None = None  # of work that is over
        self._lock = threading.Lock()
        self._on_kill: list[Callable[[], None]] = []
        self._part: Cancellation | None = None

    def request(self, reason: str, *, patient: bool = False) -> None:
        """Ask the work to stop. Nothing happens when that was asked before or the work is :meth:`closed <close>`.

        Work that is :meth:`over <finish>` has ``grace`` to say its last words.

        Args:
            reason: the end of a sentence that begins with "Cancelled".
            patient: whether the process lives on where the work takes longer than ``grace`` to end by itself.
        """
        with self._lock:
            if not patient and (self._exit_code is not None or not self._closed):
                self._since = self._since or time.monotonic()
            if self._exit_code is None and not self.requested and not self._closed:
                self.message = f"Cancelled: {reason}."
                self.requested = True
            part = self._part
        if part is not None:
            part.request(reason, patient=patient)

    @contextlib.contextmanager
    def part(self) -> Iterator[Cancellation]:
        """The cancellation of one of several pieces of work that this process does one after another.

        What stops all of them stops the part. What stops the part leaves the others alone, unless the part does not
        end within ``grace``; where its work is :meth:`closed <close>`, the process ends after it.
        """
        part = Cancellation(grace=self._grace)
        with self._lock:
            self._part = part
            message = self.message if self.requested else ""
        if message:
            part.message, part.requested = message, True
        try:
            yield part
        finally:
            with self._lock:
                self._part = None

    def close(self) -> None:
        """From here on it is too late to stop.

        Raises:
            Cancelled: it was asked before.
        """
        with self._lock:
            if self.requested:
                raise Cancelled(self.message)
            self._closed = True

    def finish(self, exit_code: int) -> None:
        """The work is over: who asks it to stop ends the process with its exit code, and takes nothing back.

        Its last words may be for a pipe that nobody reads.
        """
        with self._lock:
            if not self.requested:
                self._exit_code = exit_code

    def on_kill(self, action: Callable[[], None]) -> None:
        """Have something done, by another thread, before the process is ended; the last one added comes first."""
        self._on_kill.append(action)

    @contextlib.contextmanager
    def watching(self, *, stdin: bool, parent: bool, output: int | None = None):  # noqa: ANN201 - a context manager
        """Watch signals, and perhaps stdin, the parent and who reads the output, until the block ends.

        Args:
            stdin: look for a ``cancel`` line there. The end of stdin stops nothing: it may be /dev/null.
            parent: take the end of the process that started this one for a request, as where a program waits for the
                work. A shell may end before what it started in the background.
            output: descriptor of a pipe; nobody reading it any more is taken as the parent's end.
        """
        bell, ring = socket.socketpair()
        for end in (bell, ring):
            end.setblocking(False)
        # Python runs handlers between bytecodes of the main thread, which may be minutes away; C rings this at once.
        # Before the handlers, which do nothing: a signal that comes between the two would be lost.
        previous_wakeup = signal.set_wakeup_fd(ring.fileno(), warn_on_full_buffer=False)
        previous = {n: signal.signal(n, self._on_signal) for n in SIGNALS if signal.getsignal(n) != signal.SIG_IGN}
        stopped = threading.Event()
        alive = process.parent_watch() if parent and not process.outlives_its_parent() else lambda: True
        arguments = (bell, stopped, alive, STDIN if stdin else None, output)
        thread = threading.Thread(target=self._watch, args=arguments, name="cancellation", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            stopped.set()
            signal.set_wakeup_fd(previous_wakeup)
            if not self.requested:
                # Otherwise the process is about to end, and who pressed Ctrl-C twice must not break into its tidying.
                for number, handler in previous.items():
                    signal.signal(number, handler)
            ring.close()
            thread.join()
            bell.close()

    def _on_signal(self, number: int, frame: object) -> None:
        """The watching thread has been told already; the handler is here so that Python does not do its default."""

    def _watch(
        self,
        bell: socket.socket,
        stopped: threading.Event,
        parent_alive: Callable[[], bool],
        stdin: int | None,
        output: int | None,
    ) -> None:
        line = b""
        while not stopped.is_set():
            with contextlib.suppress(OSError):
                if select.select([bell], [], [], self._interval)[0]:
                    for number in bell.recv(64):
                        if number in SIGNALS:
                            self.request(f"stopped by {signal.Signals(number).name}")
            if stdin is not None:
                read = process.read_available(stdin)
                *lines, line = (line + (b"\n" if read is None else read)).split(b"\n")
                if b"cancel" in (text.strip() for text in lines):
                    self.request("asked for on stdin")
                stdin = None if read is None else stdin
            if not parent_alive() or (output is not None and process.reader_gone(output)):
                self.request("the program that started it has ended")
            part = self._part
            publishing = part is not None and part._closed
            if self._is_late() and not publishing:
                self._kill(part)
            elif part is not None and part._is_late():
                self.message = part.message
                self._kill(part)

    def _is_late(self) -> bool:
        return self._since > 0 and time.monotonic() - self._since > self._grace

    def _kill(self, part: Cancellation | None) -> None:
        if self._exit_code is not None:
            os._exit(self._exit_code)
        actions = [*self._on_kill, *(part._on_kill if part is not None else ())]

        def act() -> None:
            for action in reversed(actions):
                with contextlib.suppress(Exception):
                    action()

        # In a thread of its own: a full pipe that nobody reads would otherwise hold up the end.
        last = threading.Thread(target=act, daemon=True)
        last.start()
        last.join(0.4)
        os._exit(Cancelled.exit_code)
