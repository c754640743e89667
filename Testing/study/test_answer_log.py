"""The log of answers: what was acknowledged stays, whatever happens, and what was changed is seen."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.study.answer_log import AnswerLog, read_log

CHILD = Path(__file__).with_name("logging_child.py")
ROOT = Path(__file__).resolve().parents[2]


def filled(folder: Path, count: int) -> Path:
    with AnswerLog(folder) as log:
        for number in range(count):
            log.append({"n": number, "text": "naïve\u2028\n"})
    return log.path


def kill_and_reopen(folder: Path, draw: random.Random) -> None:
    """Kill a child that writes, drop or garble what it had not synced, and look for all it had acknowledged."""
    note = folder.parent / "synced"
    note.unlink(missing_ok=True)
    child = subprocess.Popen(
        [sys.executable, str(CHILD), str(folder), str(note)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert child.stdout is not None and child.stdout.readline() == b"ready\n"
    before = len(read_log(folder / "answers.jsonl")) if draw.random() < 0.2 else 0  # sometimes while it writes
    time.sleep(draw.uniform(0, 0.03))
    child.kill()
    acknowledged = [int(line) for line in child.stdout.read().splitlines(keepends=True) if line.endswith(b"\n")]
    child.wait()
    child.stdout.close()
    path = folder / "answers.jsonl"
    size = path.stat().st_size
    synced = int(note.read_bytes()) if note.exists() and note.read_bytes() else size
    with path.open("r+b") as file:  # the power cut: what was not synced may be there in part, or as anything
        kept = draw.randint(min(synced, size), size)
        file.truncate(kept)
        file.seek(0, os.SEEK_END)
        file.write(draw.choice([b"", b"\0" * 100, b'{"check":"12', bytes(range(128, 200))]))
    with AnswerLog(folder) as log:
        there = {entry["n"] for entry in log.entries}
        assert set(acknowledged) <= there and len(log.entries) >= before
        assert [entry["n"] for entry in log.entries] == list(range(len(log.entries)))


@pytest.mark.skipif(os.name == "nt", reason="os.pwrite")
@pytest.mark.parametrize("kills", [12, pytest.param(100, marks=pytest.mark.slow)])
def test_kills_and_power_cuts_lose_no_acknowledged_answer(tmp_path: Path, kills: int) -> None:
    draw = random.Random(kills)
    for _ in range(kills):
        kill_and_reopen(tmp_path / "log", draw)
    assert len(read_log(tmp_path / "log" / "answers.jsonl")) > kills  # they wrote indeed


@pytest.mark.parametrize("cut", [1, 5, 40, 100])
def test_a_torn_last_line_is_cut_off_and_the_log_goes_on(tmp_path: Path, cut: int) -> None:
    path = filled(tmp_path, 3)
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    assert [entry["n"] for entry in read_log(path)] == [0, 1]
    with AnswerLog(tmp_path) as log:
        assert len(log.entries) == 2
        log.append({"n": 2, "text": "naïve\u2028\n"})
    assert path.read_bytes() == whole


@pytest.mark.parametrize("line", [1, 2, 4])
def test_an_edited_line_is_found(tmp_path: Path, line: int) -> None:
    path = filled(tmp_path, 4)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[line - 1] = lines[line - 1].replace(b"na", b"no")
    path.write_bytes(b"".join(lines))
    for look in (read_log, lambda path: AnswerLog(path.parent).__enter__()):
        with pytest.raises(JobError, match=f"was edited or damaged at line {line}, where its chain"):
            look(path)


def test_lines_left_out_put_in_or_swapped_are_found(tmp_path: Path) -> None:
    path = filled(tmp_path, 4)
    a, b, c, d = path.read_bytes().splitlines(keepends=True)
    for lines, at in (
        ((a, c, d), 2),
        ((a, b, b, c, d), 3),
        ((b, a, c, d), 1),
        ((a, c, b, d), 2),
        ((b, c, d), 1),
        ((a, b, b"x\r", c, d), 3),
    ):
        path.write_bytes(b"".join(lines))
        with pytest.raises(JobError, match=f"at line {at},"):
            read_log(path)


def test_an_edited_line_with_its_own_checksum_made_anew_breaks_the_next(tmp_path: Path) -> None:
    path, other = filled(tmp_path / "a", 3), tmp_path / "b"
    with AnswerLog(other) as log:
        log.append({"n": 0, "text": "changed"})
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(log.path.read_bytes() + b"".join(lines[1:]))
    with pytest.raises(JobError, match="at line 2,"):
        read_log(path)


def test_one_log_is_open_once(tmp_path: Path) -> None:
    with AnswerLog(tmp_path), pytest.raises(JobError, match="is open in another window; close it there first"):
        AnswerLog(tmp_path).__enter__()
    with AnswerLog(tmp_path) as log:  # let go of
        log.append({"n": 0})


def test_a_full_disk_says_so_and_leaves_the_log_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = filled(tmp_path, 2)
    before, real = path.read_bytes(), os.write

    def half(descriptor: int, content: bytes) -> int:
        if len(content) < 60:
            raise OSError(28, "No space left on device")
        return real(descriptor, content[:50])

    with AnswerLog(tmp_path) as log:
        monkeypatch.setattr(os, "write", half)
        with pytest.raises(JobError, match=r"could not be saved to .* \(No space left on device\); free some space"):
            log.append({"n": 2, "text": "x" * 100})
        assert path.read_bytes() == before and len(log.entries) == 2
        monkeypatch.undo()
        log.append({"n": 2})
    assert len(read_log(path)) == 3
