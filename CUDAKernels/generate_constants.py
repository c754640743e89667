#!/usr/bin/env python3
"""Generator of the library's kernels/constants.py from the headers: python CUDAKernels/generate_constants.py

Python needs the constants of the kernels also where their source was not installed, so it has them as a module of its
own. A test holds that the module is what this script would write now.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).resolve().parent
MODULE = SOURCE.parent / "CTSuperResolutionLib" / "kernels" / "constants.py"
HEADERS = ("gaussian.h", "ssim.h", "nabgs.h", "cuda/launch_sizes.h")
TITLE = '"""Constants of the kernels: generated from their headers by CUDAKernels/generate_constants.py, not edited."""'
NUMBER = r"-?[0-9][0-9.e+-]*"
# A constexpr, a macro or an enumerator that is a plain number, with the comment beside it.
CONSTANT = re.compile(
    rf"^(?:constexpr (?:int|double) (\w+) = ({NUMBER});|#define NABGS_(\w+) ({NUMBER})|    NABGS_(\w+) = ({NUMBER}),?)"
    r"\s*(?://|/\*)?\s*(.*?)\s*(?:\*/)?$"
)


def assignments(header: str) -> Iterator[str]:
    """A line of Python for every constant that a header spells as one number, with its comment."""
    for line in (SOURCE / header).read_text(encoding="utf-8").splitlines():
        found = CONSTANT.match(line)
        if found:
            name, number, comment = (part for part in found.groups() if part is not None)
            yield f"{name} = {number}  # {comment}" if comment else f"{name} = {number}"


def module_text() -> str:
    """The whole text of the module."""
    return "\n\n".join([TITLE, *("\n".join([f"# {header}", *assignments(header)]) for header in HEADERS)]) + "\n"


if __name__ == "__main__":
    MODULE.write_text(module_text(), encoding="utf-8", newline="\n")
