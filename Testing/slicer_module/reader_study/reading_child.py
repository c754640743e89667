"""A Slicer of its own: reads some cases of a study by keys and waits with an answer on the screen, to be killed."""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from slicer_host import fixtures

folder, count = sys.argv[1], int(sys.argv[2])


def wait(condition, timeout=20.0, what=""):
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end
        fixtures.slicer_.app.processEvents()


sys.path[:0] = [str(Path(__file__).parent)]
from conftest import MODULE_FILE, Reader

application = fixtures.Application()
reader = Reader(application.load(MODULE_FILE), fixtures.slicer_, application, wait)
reader.open(Path(folder))
for _case in range(count):
    reader.answer()
reader.press("Left", "3")
print(f"{reader.sitting.reading.answered} answered", flush=True)
time.sleep(60)
