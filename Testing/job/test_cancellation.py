"""Stopping a real child process: by a line, by signals, by the death of its parent; and what crashes leave behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from CTSuperResolutionLib.job.cancellation import Cancellation

ROOT = Path(__file__).resolve().parents[2]
CHILD = Path(__file__).with_name("working_child.py")
LIMIT = 2.0  # seconds from the request to the end
CANCELLED = 3
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
posix_only = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")


def plain_signals() -> None:
    """Undo what a shell's background job inherits: SIGINT ignored."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def start(manner: str, out: Path, **options: object) -> subprocess.Popen:
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    if os.name != "nt":
        options.setdefault("preexec_fn", plain_signals)
    command = [sys.executable, str(CHILD), manner, str(out)]
    return subprocess.Popen(command, env=ENVIRONMENT, **{**streams, **options})


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "made" / "for it"


def wait_until(condition: object, seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def working(out: Path) -> bool:
    return any(out.glob(".ctsr-*/half.nrrd"))


@pytest.fixture
def child(request: pytest.FixtureRequest, out: Path) -> Iterator[subprocess.Popen]:
    """A child in the manner of the test's parameter, at work."""
    process = start(request.param, out)
    assert wait_until(lambda: working(out)), process.communicate(timeout=5)
    time.sleep(0.2)
    yield process
    process.kill()
    process.communicate()


def ends_cancelled(process: subprocess.Popen, out: Path, since: float) -> dict:
    """The child ended in time, with its own code, one final event, and nothing left; returns that event."""
    printed, complaints = process.communicate(timeout=20)
    took = time.monotonic() - since
    events = [json.loads(line) for line in printed.splitlines()]
    assert process.returncode == CANCELLED, complaints
    assert took < LIMIT
    assert [event["event"] for event in events].count("error") == 1
    assert events[-1]["event"] == "error" and events[-1]["kind"] == "cancelled"
    assert events[-1]["exit_code"] == CANCELLED
    assert not out.parent.exists()
    assert b"Traceback" not in complaints
    return events[-1]


each_manner = pytest.mark.parametrize("child", ["steps", "deaf", "import"], indirect=True)


@each_manner
def test_cancel_line(child: subprocess.Popen, out: Path) -> None:
    since = time.monotonic()
    child.stdin.write(b"something else\ncan")
    child.stdin.flush()
    time.sleep(0.15)  # a line may come in pieces
    child.stdin.write(b"cel\r\n")
    child.stdin.flush()
    assert "stdin" in ends_cancelled(child, out, since)["message"]


@posix_only
@each_manner
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals(child: subprocess.Popen, out: Path, number: signal.Signals) -> None:
    since = time.monotonic()
    child.send_signal(number)
    assert number.name in ends_cancelled(child, out, since)["message"]


@posix_only
@pytest.mark.parametrize("child", ["steps"], indirect=True)
def test_hammering_ctrl_c_changes_nothing(child: subprocess.Popen, out: Path) -> None:
    since = time.monotonic()
    while child.poll() is None and time.monotonic() - since < LIMIT:
        child.send_signal(signal.SIGINT)
        time.sleep(0.002)
    ends_cancelled(child, out, since)


@pytest.mark.parametrize("child", ["steps"], indirect=True)
def test_end_of_stdin_is_no_cancel(child: subprocess.Popen, out: Path) -> None:
    child.stdin.close()
    child.stdin = None
    time.sleep(1.0)
    assert child.poll() is None and working(out)


PARENT = """
import subprocess, sys, time
with open(sys.argv[1], "wb") as log:
    child = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=log, stderr=log)
print(child.pid, flush=True)
time.sleep(100)
"""


@pytest.mark.parametrize("manner", ["steps", "deaf"])
def test_parent_killed(tmp_path: Path, out: Path, manner: str) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-c", PARENT, str(log), sys.executable, str(CHILD), manner, str(out)]
    plain = {} if os.name == "nt" else {"preexec_fn": plain_signals}  # under nohup, a child would outlive its parent
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, env=ENVIRONMENT, **plain)
    child = psutil.Process(int(parent.stdout.readline()))
    assert wait_until(lambda: working(out))
    since = time.monotonic()
    parent.kill()
    parent.communicate()
    # Nobody may be there to collect an orphan: a zombie has ended, too.
    assert wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, LIMIT)
    assert time.monotonic() - since < LIMIT
    assert not out.parent.exists()
    events = [json.loads(line) for line in log.read_bytes().splitlines()]
    assert events[-1]["kind"] == "cancelled" and "has ended" in events[-1]["message"]


@posix_only
@pytest.mark.parametrize("child", ["deaf"], indirect=True)
def test_reader_of_the_events_gone(child: subprocess.Popen, out: Path) -> None:
    """3D Slicer starts Python through a launcher that may outlive it: then only the closed pipe tells."""
    since = time.monotonic()
    child.stdout.close()
    assert child.wait(timeout=10) == CANCELLED
    assert time.monotonic() - since < LIMIT
    assert not out.parent.exists()


@posix_only
def test_full_pipe_that_nobody_reads(out: Path) -> None:
    process = start("flood", out)
    assert wait_until(lambda: working(out))
    time.sleep(0.5)
    since = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == CANCELLED
    assert time.monotonic() - since < LIMIT
    assert not out.parent.exists()
    process.communicate()


@posix_only
def test_last_words_that_nobody_reads_do_not_hold_up_the_end(out: Path) -> None:
    process = start("over", out)
    assert wait_until(lambda: working(out))
    time.sleep(0.5)
    since = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0
    assert time.monotonic() - since < LIMIT
    process.communicate()


@posix_only
def test_nohup_outlives_its_parent(tmp_path: Path, out: Path) -> None:
    def ignore_hangup() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    command = [sys.executable, "-c", PARENT, str(tmp_path / "log"), sys.executable, str(CHILD), "steps", str(out)]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, env=ENVIRONMENT, preexec_fn=ignore_hangup)
    child = psutil.Process(int(parent.stdout.readline()))
    assert wait_until(lambda: working(out))
    parent.kill()
    parent.communicate()
    time.sleep(1.0)
    assert child.is_running() and working(out)
    child.kill()
    assert wait_until(lambda: not out.parent.exists(), 5)


@pytest.mark.parametrize("manner", ["crash", "abort"])
def test_crash_leaves_nothing(out: Path, manner: str) -> None:
    process = start(manner, out)
    printed, _ = process.communicate(timeout=20)
    assert process.returncode not in (0, 1, 2, CANCELLED)
    assert wait_until(lambda: not out.parent.exists(), 5)
    assert b'"result"' not in printed


@pytest.mark.parametrize("child", ["steps"], indirect=True)
def test_kill_leaves_nothing(child: subprocess.Popen, out: Path) -> None:
    child.kill()
    assert wait_until(lambda: not out.parent.exists(), 5)


def test_unexpected_error_leaves_nothing(out: Path) -> None:
    process = start("fail", out)
    printed, complaints = process.communicate(timeout=20)
    last = json.loads(printed.splitlines()[-1])
    assert process.returncode == 1 and last["kind"] == "internal" and "something odd" in last["message"]
    assert not out.parent.exists() and complaints == b""


def test_what_stops_all_stops_the_part_and_not_the_other_way_round() -> None:
    whole = Cancellation()
    with whole.part() as part:
        part.request("not this one")
        assert part.requested and not whole.requested
    with whole.part() as part:
        assert not part.requested
        whole.request("all of it")
        assert part.requested and part.message == whole.message == "Cancelled: all of it."
    with whole.part() as part:
        assert part.requested


@pytest.mark.parametrize("child", ["deaf part"], indirect=True)
def test_a_part_that_does_not_end_ends_the_process(child: subprocess.Popen, out: Path) -> None:
    since = time.monotonic()
    child.stdin.write(b"cancel\n")
    child.stdin.flush()
    assert "the part" in ends_cancelled(child, out, since)["message"]


@pytest.mark.parametrize("child", ["patient part"], indirect=True)
def test_a_part_that_may_take_its_time_does(child: subprocess.Popen, out: Path) -> None:
    child.stdin.write(b"cancel\n")
    child.stdin.flush()
    printed, complaints = child.communicate(timeout=20)
    assert child.returncode == 0, complaints
    assert json.loads(printed.splitlines()[-1])["message"] == "ended by itself"
    assert not out.parent.exists()
