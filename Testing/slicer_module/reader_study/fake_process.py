"""A background process that does what a test says."""

from __future__ import annotations

import json

from CTSuperResolutionPanel.process.process import Ended


class FakeProcess:
    """A process that does what a test says."""

    @classmethod
    def of(cls, command, monkeypatch) -> FakeProcess:
        """The process that a command of the panel will start."""
        found = cls()
        monkeypatch.setattr(command, "_make_process", lambda: found)
        return found

    def __init__(self) -> None:
        self.written, self.abandoned = b"", False

    def start(self, command, *, on_output, on_error_output, on_end) -> None:
        self.command, self.on_output, self.on_end = command, on_output, on_end

    def write(self, data: bytes) -> None:
        self.written += data

    def abandon(self) -> None:
        self.abandoned = True

    def say(self, **event) -> None:
        self.on_output(json.dumps(event).encode() + b"\n")

    def end(self, code: int = 0) -> None:
        self.on_end(Ended(normal=True, code=code))
