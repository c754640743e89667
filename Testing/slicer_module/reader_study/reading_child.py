"""A Slicer of its own: reads some cases of a study by keys and waits with an answer on the screen, to be killed."""

from __future__ import annotations

import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]


def main(folder: Path, count: int) -> None:
    from slicer_host import fixtures

    application = fixtures.Application()
    from keyboard_reader import MODULE_FILE, Reader

    def wait(condition, timeout=20.0):
        end = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < end
            fixtures.slicer_.app.processEvents()

    reader = Reader(application.load(MODULE_FILE), fixtures.slicer_, application, wait)
    reader.open(folder)
    for _case in range(count):
        reader.answer()
    reader.press("Left", "3")
    print(f"{reader.sitting.reading.answered} answered", flush=True)
    time.sleep(60)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
