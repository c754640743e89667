"""Lines of an input that another program writes, as they come."""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Iterator

from CTSuperResolutionLib.job.process import read_available

LONGEST_LINE = 1 << 20  # bytes; a job is a thousandth of that
WAIT_S = 0.02
"""Between two looks, where the system cannot wait for a pipe without a read pending: see :func:`.read_available`."""


def input_lines(descriptor: int) -> Iterator[bytes]:
    """Lines without their ends, to the end of the input; blank ones are left out, too long ones cut to their start."""
    rest, cut = b"", False
    while (read := read_available(descriptor)) is not None:
        *lines, rest = (rest + read).split(b"\n")
        for line in lines:
            if not cut and line.strip():
                yield line.strip()
            cut = False
        if len(rest) > LONGEST_LINE and not cut:
            yield rest[:LONGEST_LINE]
            cut = True
        if cut:
            rest = b""
        if not read:
            _wait(descriptor)
    if not cut and rest.strip():
        yield rest.strip()


def _wait(descriptor: int) -> None:
    if sys.platform == "win32":
        time.sleep(WAIT_S)
    else:
        select.select([descriptor], [], [], 1.0)
