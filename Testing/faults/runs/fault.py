"""A fault: what is done to one run of ``ctsr run``."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

Before = Literal["missing", "empty", "earlier"]
"""What an output folder is before a run: missing with its parent, empty, or with the results of an earlier run."""


LATE = math.inf
"""The moment when a run has told its result, and only has to end."""


@dataclass(frozen=True)
class Reader:
    """Who reads standard output.

    Attributes:
        leaves_after: bytes after which nobody reads any more; None for never.
        rests_after: bytes after which reading stops for ``rest`` seconds.
        rest: seconds.
        slow: take a few bytes at a time, with pauses.
    """

    leaves_after: int | None = None
    rests_after: int | None = None
    rest: float = 0.0
    slow: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether it reads all there is at once."""
        return self == Reader()


@dataclass(frozen=True)
class Fault:
    """What is done to one run, and how the run is set up.

    Attributes:
        kind: row of the table.
        about: words for a person.
        json: events as JSON, else text.
        before: what the output folder is before.
        fresh: a new interpreter, else a copy of a process that has the libraries loaded already.
        signals: (share of a usual run's CPU time, or LATE, and signal) from outside; all but SIGKILL wait until the
            run handles them.
        plan: for the injection inside, see ``injection.trigger``.
        reader: of standard output.
        stdin: an open pipe, a pipe whose other end is closed, /dev/null, closed, or bytes that mean nothing.
        second: share of a usual run after which a second one begins into the same folder; None for no second one.
        allowed: exit codes that are right, 0 being right always.
    """

    kind: str
    about: str
    json: bool = True
    before: Before = "missing"
    fresh: bool = False
    signals: tuple[tuple[float, int], ...] = ()
    plan: dict[str, Any] = field(default_factory=dict)
    reader: Reader = field(default_factory=Reader)
    stdin: Literal["pipe", "ended", "null", "closed", "noise"] = "pipe"
    second: float | None = None
    allowed: tuple[int, ...] = ()
