"""Benchmark cases: an operation on so many Gaussians and so large an array. Standard library only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from CTSuperResolutionLib.errors import JobError, unknown

# Side of the array where none is asked for: the first is what a fit on a plain computer has; a volume of 256 would
# take the reference implementation minutes.
OPERATIONS = {"rasterize": 256, "voxelize": 128, "step": 256}
RUN = "run"  # whole runs of the command, which take minutes: only where they are asked for
BACKENDS = ("torch", "native", "cuda")
BEAMS = ("parallel", "cone")
GAUSSIANS = (10_000, 50_000)
LIMITS = {"gaussians": (1, 5_000_000), "size": (8, 2048), "threads": (1, 1024), "repeats": (1, 10_000)}
EXAMPLES = {"gaussians": "10000,50000", "size": "128,256", "threads": "1,2", "repeats": "7"}


@dataclass(frozen=True)
class BenchmarkCase:
    """One thing to measure.

    Attributes:
        op: "rasterize", "voxelize" or "step", a whole step of the fit.
        beam: "parallel" or "cone"; None for voxelize, which has no rays.
        gaussians: how many.
        size: side of the detector in pixels, or of the volume in voxels.
    """

    op: str
    beam: str | None
    gaussians: int
    size: int

    def __str__(self) -> str:
        array = f"{self.size}³" if self.op == "voxelize" else f"{self.size}²"
        return " ".join(filter(None, (self.op, self.beam, f"{self.gaussians:,} Gaussians", array)))


def all_cases(
    ops: Iterable[str], beams: Iterable[str], gaussians: Iterable[int], sizes: Sequence[int]
) -> list[BenchmarkCase]:
    """Every combination; without sizes, each operation has its own. Whole runs are not among them."""
    counts, beams = list(gaussians), list(beams)
    return [
        BenchmarkCase(op, beam, count, size)
        for op in ops
        if op != RUN
        for beam in ((None,) if op == "voxelize" else beams)
        for size in (sizes or (OPERATIONS[op],))
        for count in counts
    ]


def parse_names(kind: str, text: str, known: Iterable[str]) -> tuple[str, ...]:
    """Names of a list such as "rasterize,step", each once.

    Raises:
        JobError: one is not known (names the nearest), or there is none.
    """
    known = list(known)
    names = _parts(kind, text)
    for name in names:
        if name not in known:
            raise unknown(kind, name, known)
    return names


def parse_numbers(kind: str, text: str) -> tuple[int, ...]:
    """Whole numbers of a list such as "10000,50000", each once.

    Raises:
        JobError: not a number, or outside LIMITS.
    """
    low, high = LIMITS[kind]
    numbers = []
    for part in _parts(kind, text):
        if not (part.isascii() and part.isdigit() and low <= int(part) <= high):
            example = EXAMPLES[kind]
            raise JobError(
                f"The option {kind} takes whole numbers from {low} to {high}, as in {example}, not '{part}'."
            )
        numbers.append(int(part))
    return tuple(dict.fromkeys(numbers))


def _parts(kind: str, text: str) -> tuple[str, ...]:
    parts = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not parts:
        raise JobError(f"The list '{text}' names no {kind}; give at least one or leave the option out.")
    return parts
