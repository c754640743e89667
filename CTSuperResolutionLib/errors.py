"""Errors that end a job early, with their exit codes, and the remedies that they name.

A :class:`JobError` says what is wrong and carries ways out as data. Whoever shows it words them: the command line with
its options, the panel with its own fields. ``str(error)`` is for Python and names neither.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any, ClassVar

NEAR = 0.7  # difflib's ratio from which a name is taken for a slip of another: 'gpu' is none of 'cpu'

Ranges = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class Remedy:
    """A way out that an error names.

    Attributes:
        kind: its name in events.
        is_choice: its words are something to choose; otherwise they are something to do.
    """

    kind: ClassVar[str]
    is_choice: ClassVar[bool] = True

    def to_dict(self) -> dict[str, Any]:
        """The remedy as plain values, for :func:`read_remedies`."""
        return {"kind": self.kind, **asdict(self)}


@dataclass(frozen=True)
class SmallerRegion(Remedy):
    """Work on less of the scan; ``ranges`` has (start, stop) in voxels along (z, y, x) of a region that would do."""

    kind = "region"
    ranges: Ranges | None = None

    def __str__(self) -> str:
        if self.ranges is None:
            return "a region of interest"
        return f"a region such as {region_text(self.ranges)}"


@dataclass(frozen=True)
class LowerPreset(Remedy):
    """Take a preset that costs less; ``name`` is one that would do and ``memory`` the bytes that it takes."""

    kind = "preset"
    name: str | None = None
    memory: int | None = None

    def __str__(self) -> str:
        if self.name is None:
            return "a lower preset"
        return f"preset {self.name}" + ("" if self.memory is None else f" ({bytes_text(self.memory)})")


@dataclass(frozen=True)
class LowerScale(Remedy):
    """Refine less."""

    kind = "scale"

    def __str__(self) -> str:
        return "a lower scale"


@dataclass(frozen=True)
class SmallerPrior(Remedy):
    """Take a prior whose network is smaller."""

    kind = "prior"

    def __str__(self) -> str:
        return "a smaller prior"


@dataclass(frozen=True)
class OtherDevice(Remedy):
    """Compute on that device."""

    kind = "device"
    name: str

    def __str__(self) -> str:
        return f"device {self.name}"


@dataclass(frozen=True)
class OtherOption(Remedy):
    """Give another option of a command otherwise; the first ``{}`` in ``choice`` stands for its ``name``."""

    kind = "option"
    name: str
    choice: str

    def words(self, name: str) -> str:
        """The choice with the option called that."""
        return self.choice.replace("{}", name, 1)

    def __str__(self) -> str:
        return self.words(self.name)


@dataclass(frozen=True)
class MoreMemory(Remedy):
    """Work where there is more memory."""

    kind = "memory"
    is_choice = False

    def __str__(self) -> str:
        return "use a machine with more memory"


@dataclass(frozen=True)
class AcceptUnusual(Remedy):
    """Take the input although it does not look like a CT; ``effect`` says to what end."""

    kind = "unusual"
    is_choice = False
    effect: str = "go on all the same"

    def __str__(self) -> str:
        return f"allow unusual input to {self.effect}"


@dataclass(frozen=True)
class Untilt(Remedy):
    """Shift slices that are displaced sideways, as by a tilted gantry, to a straight grid while reading."""

    kind = "untilt"
    is_choice = False

    def __str__(self) -> str:
        return "untilt it"


@dataclass(frozen=True)
class Regrid(Remedy):
    """Interpolate images onto the grid of the first one."""

    kind = "regrid"
    is_choice = False

    def __str__(self) -> str:
        return "let them be brought onto the first one's"


@dataclass(frozen=True)
class ReportBug(Remedy):
    """Tell the authors."""

    kind = "report"
    is_choice = False

    def __str__(self) -> str:
        return "report it"


@dataclass(frozen=True)
class Advice(Remedy):
    """What to do outside the program, in words that suit everywhere."""

    kind = "advice"
    is_choice = False
    text: str

    def __str__(self) -> str:
        return self.text


KINDS: dict[str, type[Remedy]] = {kind.kind: kind for kind in Remedy.__subclasses__()}


class JobError(Exception):
    """The job cannot be done as asked.

    Args:
        problem: what is wrong. With remedies, a sentence without its full stop; by itself, a whole sentence that also
            says what to do.
        remedies: ways out, the best first.
    """

    exit_code = 2

    def __init__(self, problem: str, *remedies: Remedy) -> None:
        super().__init__(problem, *remedies)
        self.problem = problem
        self.remedies = remedies

    def __str__(self) -> str:
        return sentence(self)


class Cancelled(Exception):
    """The user, a signal or the parent's death stopped the work."""

    exit_code = 3


def sentence(
    error: JobError,
    words: Callable[[Remedy], str] = str,
    *,
    choose: str = "choose {choices}",
    either: str = " or ",
) -> str:
    """One sentence of an error: the problem, and its remedies in somebody's words.

    Args:
        error: the error.
        words: of a remedy.
        choose: what to do with choices; takes their words for ``{choices}``.
        either: what stands between the last two of several.
    """
    ways = []
    for is_choice, group in groupby(error.remedies, key=lambda remedy: remedy.is_choice):
        texts = [words(remedy) for remedy in group]
        choices = _alternatives(texts, either)
        ways += [choose.replace("{choices}", choices)] if is_choice else texts
    return f"{error.problem}; {f',{either}'.join(ways)}." if ways else error.problem


def read_remedies(values: Iterable[dict[str, Any]]) -> list[Remedy]:
    """Remedies from the plain values of :meth:`Remedy.to_dict`; those that this version does not know are left out."""
    found: list[Remedy] = []
    for entry in values:
        kind = KINDS.get(entry["kind"])
        if kind is SmallerRegion and entry["ranges"] is not None:
            z, y, x = ((start, stop) for start, stop in entry["ranges"])
            found.append(SmallerRegion((z, y, x)))
        elif kind is not None:
            found.append(kind(**{name: value for name, value in entry.items() if name != "kind"}))
    return found


def unknown(kind: str, name: object, known: Iterable[str], *, more: str = "") -> JobError:
    """The error for a name that is not among the known ones: it names the one it is near to, or else all of them."""
    known = list(known)
    nearest = difflib.get_close_matches(str(name).lower(), known, n=1, cutoff=NEAR)
    if nearest:
        others = f" (known: {', '.join(known)})" if 1 < len(known) <= 6 else ""
        return JobError(f"There is no {kind} '{name}'; the nearest is '{nearest[0]}'{others}{more}.")
    return JobError(f"There is no {kind} '{name}'; choose {_alternatives(known)}{more}.")


def _alternatives(texts: Sequence[str], either: str = " or ") -> str:
    *others, last = texts
    return f"{', '.join(others)}{either}{last}" if others else last


def region_text(ranges: Ranges) -> str:
    """Ranges (start, stop) along (z, y, x) as a job has them: "z0:z1,y0:y1,x0:x1"."""
    return ",".join(f"{start}:{stop}" for start, stop in ranges)


def bytes_text(count: float) -> str:
    """Bytes as a person would say it, in MB or GB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.0f} MB"
