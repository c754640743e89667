"""Runs the module's tests in a real Slicer: Slicer --testing --python-script Testing/run_in_slicer.py

pytest's arguments may follow. Slicer's Python needs pytest and hypothesis; they are installed the first time.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import slicer

TESTS = Path(__file__).resolve().parent / "slicer_module"
NEEDED = ("pytest", "hypothesis")


def main() -> int:
    """Run the tests; returns pytest's exit code."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        slicer.util.pip_install(" ".join(missing))
    import pytest

    # Slicer shows Python's output in its console; pytest needs the real streams, and a terminal shows them too.
    for name in ("stdout", "stderr"):
        stream = getattr(sys, f"__{name}__")
        if stream is not None:
            setattr(sys, name, stream)
    sys.dont_write_bytecode = True  # the checkout is not Slicer's
    return int(pytest.main(["-p", "no:cacheprovider", *(sys.argv[1:] or [str(TESTS)])]))


if __name__ == "__main__":
    slicer.util.exit(main())
