"""Template of ``ctsr`` processes: it has the libraries loaded, and copies of it go on as runs of their own.

A run spends most of its few seconds on loading torch and diffusers; a copy by fork spends none. Its first argument is
the descriptor of a socket, from which it takes requests with the descriptors of standard input, output and error.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import socket
import sys
import tempfile
from typing import Any

from injection import trigger

LOADED = (
    "matplotlib.backends.backend_agg",
    "CTSuperResolutionLib.cli.main",
    "CTSuperResolutionLib.output.comparison_figure",
    "CTSuperResolutionLib.pipeline",
    "CTSuperResolutionLib.volume.reading",
    "CTSuperResolutionLib.volume.writing",
)
PAUSE = 0.02


def serve(channel: socket.socket) -> dict[str, Any] | None:
    """Start copies and tell of their ends. Returns in each copy, with its request, and at the end with None."""
    while True:
        if select.select([channel], [], [], PAUSE)[0]:
            message, streams, *_ = socket.recv_fds(channel, 1 << 16, 3)
            if not message:
                return None
            pid = os.fork()
            if pid == 0:
                channel.close()
                for number, stream in enumerate(streams):
                    os.dup2(stream, number)
                    os.close(stream)
                return json.loads(message)
            for stream in streams:
                os.close(stream)
            tell(channel, {"pid": pid})
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            continue
        if pid:
            tell(channel, {"pid": pid, "code": os.waitstatus_to_exitcode(status)})


def tell(channel: socket.socket, message: dict[str, int]) -> None:
    """Send a line."""
    channel.sendall(json.dumps(message).encode() + b"\n")


os.environ |= {"OMP_WAIT_POLICY": "passive", "HF_HUB_OFFLINE": "1", "DIFFUSERS_VERBOSITY": "error"}  # as ctsr does
for module in LOADED:
    importlib.import_module(module)
REQUEST = serve(socket.socket(fileno=int(sys.argv[1])))
if REQUEST is not None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.environ |= REQUEST["environment"]
    tempfile.tempdir = None
    sys.argv = ["ctsr", *REQUEST["arguments"]]
    from CTSuperResolutionLib.cli.start import entry

    trigger.arm(REQUEST["plan"])
    entry()
