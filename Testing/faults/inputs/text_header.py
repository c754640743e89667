"""Mutations of a header of text lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

ODD_NUMBERS = ("0", "-1", "1", "2", "3", "nan", "inf", "-inf", "1e30", "1e-30", "-0.0", "007", "+1", "1.", ".5", "0x10",
               "1,5", "4294967297", "9223372036854775807", "1e999", "1_0", "٣", "")  # fmt: skip
FACTORS = (-1, 0, 10, 0.1, 1000, 0.001, 1.0001, 1.01, 25.4)
NUMBER = re.compile(r"(?<![\w.])[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?(?![\w.])")


def header_bytes(lines: list[str], chance: Random, more: Sequence[str]) -> tuple[bytes, bytes, str]:
    """A header of text lines, changed in one way or two, the end of its lines, and what was changed.

    Args:
        lines: without their ends. chance: what decides.
        more: lines that may be put in; without any, nothing is changed.
    """
    about = ""
    if more:
        lines, about = mutate_lines(lines, chance, more)
        if chance.random() < 0.1:
            lines, second = mutate_lines(lines, chance, more)
            about += f"; {second}"
    end = chance.choice(("\n", "\n", "\n", "\r\n"))
    return (end.join(lines) + end).encode("utf-8", "surrogateescape"), end.encode(), about


def mutate_lines(lines: list[str], chance: Random, more: Sequence[str]) -> tuple[list[str], str]:
    """Change a header of text lines in one way.

    Args:
        lines: without their ends; the first one and the last one stay where they are.
        chance: what decides.
        more: lines that may be put in.
    """
    at = chance.randrange(1, len(lines))
    line = lines[at]
    kind = chance.choice(("number", "number", "number", "factor", "factor", "drop", "insert", "insert", "double",
                          "swap", "case", "spaces", "junk", "count", "long"))  # fmt: skip
    if kind in ("number", "factor", "double"):
        with_numbers = [k for k in range(1, len(lines)) if NUMBER.search(lines[k])]
        at = chance.choice(with_numbers)
        found = chance.choice(list(NUMBER.finditer(lines[at])))
        value = chance.choice(ODD_NUMBERS)
        if kind == "factor":
            value = f"{float(found[0]) * chance.choice(FACTORS):.12g}"
        changed = lines[at][: found.start()] + value + lines[at][found.end() :]
        if kind == "double":
            return [*lines[: at + 1], changed, *lines[at + 1 :]], f"{lines[at]!r} and then {changed!r}"
        return _with(lines, at, changed)
    if kind == "drop":
        return lines[:at] + lines[at + 1 :], f"without {line!r}"
    if kind == "insert":
        new = chance.choice(more)
        return [*lines[:at], new, *lines[at:]], f"with {new!r}"
    if kind == "swap" and len(lines) > 3:
        a, b = chance.sample(range(1, len(lines) - 1), 2)
        swapped = list(lines)
        swapped[a], swapped[b] = lines[b], lines[a]
        return swapped, f"{lines[a]!r} and {lines[b]!r} swapped"
    if kind == "case":
        return _with(lines, at, chance.choice((line.upper(), line.lower(), line.title())))
    if kind == "spaces":
        changed = (f" {line}", f"{line}  ", line.replace(" ", "  "), line.replace(" ", "\t"), line.replace(" ", ""))
        return _with(lines, at, chance.choice((*changed, f"{line}\r")))
    if kind == "count":
        head, _, last = line.rpartition(" ")
        return _with(lines, at, chance.choice((head, f"{line} {last}", f"{line} 1")))
    if kind == "long":
        return _with(lines, at, line + " " + "9" * chance.choice((300, 5000, 100_000)))
    junk = "".join(chr(chance.choice((chance.randrange(32, 127), chance.randrange(1, 256)))) for _ in range(12))
    return _with(lines, at, chance.choice((junk, line[: len(line) // 2], line + junk)))


def _with(lines: list[str], at: int, changed: str) -> tuple[list[str], str]:
    shown = changed if len(changed) < 100 else f"{changed[:60]}… ({len(changed)} characters)"
    return [*lines[:at], changed, *lines[at + 1 :]], f"{lines[at]!r} became {shown!r}"
