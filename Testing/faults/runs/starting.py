"""Starting of runs, as new interpreters or as copies of a template that has the libraries loaded."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

Streams = tuple[int, int, int]
"""Descriptors of standard input, output and error; standard input is closed where its own is negative."""


class Process(Protocol):
    """A run under way."""

    pid: int

    def poll(self) -> int | None:
        """Its exit code, negative after a signal; None while it runs."""


def start_fresh(
    arguments: Sequence[str], environment: Mapping[str, str], plan: dict[str, Any], streams: Streams
) -> Process:
    """``ctsr`` in a new interpreter."""
    given = {**environment, "CTSR_FAULT": json.dumps(plan)}
    command = [sys.executable, "-m", "CTSuperResolutionLib", *arguments]
    if streams[0] < 0:
        command = ["sh", "-c", 'exec "$@" <&-', "sh", *command]
    stdin = subprocess.DEVNULL if streams[0] < 0 else streams[0]
    return subprocess.Popen(command, env=given, stdin=stdin, stdout=streams[1], stderr=streams[2])


class Template:
    """A process that runs are copied from; see ``template.py``.

    Args:
        environment: its environment, and that of its copies.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._channel, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("template.py")), str(theirs.fileno())],
                env={**environment},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        self._heard = b""
        self._codes: dict[int, int] = {}

    def start(
        self, arguments: Sequence[str], environment: Mapping[str, str], plan: dict[str, Any], streams: Streams
    ) -> Process:
        """A run, as a copy."""
        request = {"arguments": list(arguments), "environment": dict(environment), "plan": plan}
        socket.send_fds(self._channel, [json.dumps(request).encode()], list(streams))
        started: list[int] = []
        while not started:
            started = self._listen()
        return Copy(self, started[0])

    def code_of(self, pid: int) -> int | None:
        """Exit code of a copy, told once; None while it runs."""
        self._listen(socket.MSG_DONTWAIT)
        return self._codes.pop(pid, None)

    def close(self) -> None:
        """End the template, once its copies have ended."""
        self._channel.close()
        self._process.wait()

    def _listen(self, flags: int = 0) -> list[int]:
        """Take note of the ends that the template tells of, and return the copies that it has started."""
        try:
            heard = self._channel.recv(1 << 16, flags)
        except BlockingIOError:
            return []
        if not heard:
            raise RuntimeError("the template of the runs has ended")
        *lines, self._heard = (self._heard + heard).split(b"\n")
        told = [json.loads(line) for line in lines]
        self._codes |= {message["pid"]: message["code"] for message in told if "code" in message}
        return [message["pid"] for message in told if "code" not in message]


class Copy:
    """A copy of a template: a run under way."""

    def __init__(self, template: Template, pid: int) -> None:
        self.pid = pid
        self._template = template
        self._code: int | None = None

    def poll(self) -> int | None:
        """Its exit code, negative after a signal; None while it runs."""
        if self._code is None:
            self._code = self._template.code_of(self.pid)
        return self._code
