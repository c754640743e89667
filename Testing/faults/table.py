"""Table of the faults: for every kind how many there were, what came of them, and how many went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

Row = dict[str, object]

ENDS = {0: "done", 2: "refused", 3: "cancelled"}


def end_of_run(codes: Sequence[int | None]) -> str:
    """How a run ended, by its exit code; of two runs, the first one that did not go through."""
    code = next((code for code in codes if code), 0)
    return ENDS.get(code, "killed" if code < 0 else "failed")


def rows(found: Iterable[tuple[str, str, bool]]) -> list[Row]:
    """A row a kind, and one of all, from (case, end, whether it is wrong)."""
    kinds: dict[str, Counter[str]] = {}
    for case, end, is_wrong in found:
        counts = kinds.setdefault(case.rpartition(" ")[0], Counter())
        counts.update({"cases": 1, end: 1, "wrong": int(is_wrong)})
    if kinds:
        kinds["all"] = sum(kinds.values(), Counter())
    return [{"kind": kind, **counts} for kind, counts in kinds.items()]


def text(table: Sequence[Row], columns: Sequence[str]) -> str:
    """A table as text."""
    lines = [f"{'':<24}" + "".join(f"{column:>11}" for column in columns)]
    for row in table:
        lines.append(f"{row['kind']:<24}" + "".join(f"{row.get(column) or '-':>11}" for column in columns))
    return "\n".join(lines)
