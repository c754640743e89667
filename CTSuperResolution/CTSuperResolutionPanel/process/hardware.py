"""Hardware that jobs can be computed on: free memory, and the GPUs that the background process finds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from CTSuperResolutionLib.job.memory import free_memory
from CTSuperResolutionPanel.process.event_stream import LineDecoder, parse_event
from CTSuperResolutionPanel.process.process import Process, QtProcess, library_command

MB = 1_000_000


class Hardware:
    """Asks ``ctsr info`` once for every Python, in the background, for torch must not be loaded here.

    Args:
        make_process: makes the process that asks.

    Attributes:
        machine: what ``ctsr info`` says of the machine; None while that is not known.
    """

    def __init__(self, *, make_process: Callable[[], Process] = QtProcess) -> None:
        self.machine: dict[str, Any] | None = None
        self._listeners: list[Callable[[], None]] = []
        self._make_process = make_process
        self._asked: Path | None = None
        self._process: Process | None = None

    def on_change(self, listener: Callable[[], None]) -> None:
        """Have a function called when there is news."""
        self._listeners.append(listener)

    def inspect(self, python: Path, *, again: bool = False) -> None:
        """Find out what that Python can use, unless that is known already. What was known of it holds meanwhile."""
        if self._asked == python and not again:
            return
        self.stop()
        if self._asked != python:
            self.machine = None
        self._asked, self._lines, self._answered = python, LineDecoder(), False
        self._process = self._make_process()
        command = library_command(python, "info", "--events", "json")
        self._process.start(
            command, on_output=self._read, on_error_output=lambda data: None, on_end=lambda ended: self._ended()
        )

    def stop(self) -> None:
        """Ask no more."""
        if self._process is not None:
            self._process.abandon()
            self._process = None

    @property
    def gpus(self) -> list[dict[str, Any]]:
        """What torch can use: device, name and memory of each."""
        found = (self.machine or {}).get("gpus")
        return [gpu for gpu in found if isinstance(gpu, dict)] if isinstance(found, list) else []

    @property
    def notes(self) -> list[str]:
        """Sentences that the user should see, as of a GPU that cannot be used."""
        found = (self.machine or {}).get("notes")
        return [str(note) for note in found] if isinstance(found, list) else []

    def device(self, wanted: str) -> str | None:
        """The device that a job's ``auto``, ``cpu`` or ``cuda`` comes to; None where that is not known yet."""
        if wanted != "auto":
            return wanted
        if self.machine is None:
            return None
        return str(self.gpus[0].get("device", "cuda")) if self.gpus else "cpu"

    def has(self, device: str) -> bool:
        """Whether a device can be used, as far as is known."""
        return device == "cpu" or self.machine is None or self._gpu(device) is not None

    def name(self, device: str) -> str:
        """What to call a device: the CPU, or the name of the GPU."""
        gpu = self._gpu(device)
        return str(gpu.get("name", device)) if gpu else device.upper()

    def available(self, device: str) -> int | None:
        """Bytes free for a job on a device; None where that is not known."""
        free = free_memory()
        gpu = self._gpu(device)
        on_gpu = gpu.get("free_mb", gpu.get("memory_mb")) if gpu else None
        known = [n for n in (free, on_gpu * MB if isinstance(on_gpu, int | float) else None) if n is not None]
        return int(min(known)) if known else None

    def _gpu(self, device: str) -> dict[str, Any] | None:
        if not device.startswith("cuda"):
            return None
        return next((gpu for gpu in self.gpus if gpu.get("device") in (device, f"{device}:0")), None)

    def _read(self, data: bytes) -> None:
        for line in self._lines.feed(data):
            event = parse_event(line)
            if event is not None and event["event"] == "result" and isinstance(event.get("machine"), dict):
                self._answered = True
                self._set(event["machine"])

    def _ended(self) -> None:
        self._process = None
        if not self._answered:
            self._set(None)

    def _set(self, machine: dict[str, Any] | None) -> None:
        self.machine = machine
        for listener in self._listeners:
            listener()
