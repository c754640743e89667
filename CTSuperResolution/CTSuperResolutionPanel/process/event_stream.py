"""Decoding of the background process's output: from bytes in any pieces to lines, and from lines to events."""

from __future__ import annotations

import codecs
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

LONGEST_LINE = 1 << 20


class LineDecoder:
    """Turns pieces of UTF-8 into whole lines; what is not UTF-8 becomes replacement characters."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def feed(self, data: bytes, *, final: bool = False) -> Iterator[str]:
        """The lines that are complete now; with ``final``, what is left as well."""
        text = self._rest + self._decoder.decode(data, final)
        *lines, self._rest = text.split("\n")
        if self._rest and (final or len(self._rest) > LONGEST_LINE):
            lines.append(self._rest)
            self._rest = ""
        yield from (line.rstrip("\r") for line in lines)


def parse_event(line: str) -> dict[str, Any] | None:
    """The event on a line; None where the line holds none, as what some library prints."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None


@dataclass(frozen=True)
class StageProgress:
    """Progress of a job, within its stage and in all.

    Attributes:
        stage: the library's name of the stage; "" before the first. step, steps: within the stage.
        fraction: of the whole job, 0 to 1, or None while that is not known.
        elapsed, remaining: seconds; None where not known.
    """

    stage: str = ""
    step: int = 0
    steps: int = 0
    fraction: float | None = None
    elapsed: float | None = None
    remaining: float | None = None

    @classmethod
    def of(cls, event: dict[str, Any]) -> StageProgress:
        """What a progress event says; nonsense in it counts as not known."""

        def number(name: str) -> float | None:
            value = event.get(name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                return None
            return max(float(value), 0.0)

        fraction = number("fraction")
        return cls(
            stage=str(event.get("stage", "")),
            step=int(number("step") or 0),
            steps=int(number("steps") or 0),
            fraction=None if fraction is None else min(fraction, 1.0),
            elapsed=number("elapsed_s"),
            remaining=number("remaining_s"),
        )
