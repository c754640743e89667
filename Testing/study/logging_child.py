"""A process that answers a study without end and is killed: it says what was acknowledged, and what was synced.

Arguments: the log's folder, and a file that gets the log's size after every fsync.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from CTSuperResolutionLib.study.answer_log import AnswerLog

folder, synced = Path(sys.argv[1]), Path(sys.argv[2])
real_fsync = os.fsync
note = os.open(synced, os.O_RDWR | os.O_CREAT)


def fsync(descriptor: int) -> None:
    real_fsync(descriptor)
    os.pwrite(note, f"{os.fstat(descriptor).st_size:20d}".encode(), 0)


with AnswerLog(folder) as log:
    os.fsync = fsync
    print("ready", flush=True)
    number = len(log.entries)
    while True:
        log.append({"kind": "answer", "n": number, "text": "ä" * (number % 97)})
        print(number, flush=True)
        number += 1
