"""``ctsr`` with standard streams that are closed, full or somebody else's, and Ctrl-C as it begins."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from CTSuperResolutionLib.cli.streams import stderr_for_progress
from CTSuperResolutionLib.volume.native_output import captured_stderr

Ctsr = Callable[..., object]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="a POSIX shell and POSIX signals")
COARSER = ("--scale", "1,1,2", "--kernel", "mean")
SHELL = ["sh", "-c"]


CLOSED = [">&-", "2>&-", "<&-", "<&- >&- 2>&-"]
UNREAD = [">/dev/full", "2>/dev/full", ">/dev/full 2>&1", "| true", "2>&1 | true"]
# With JSON, nobody reading the events cancels the job, so that is left out.
CASES = [*(("text", case) for case in CLOSED + UNREAD), *(("json", case) for case in [*CLOSED, "2>/dev/full"])]


@pytest.mark.parametrize(("events", "redirection"), CASES)
def test_results_are_there_whatever_becomes_of_the_words(
    ctsr: Ctsr, scan: Path, tmp_path: Path, redirection: str, events: str
) -> None:
    if "/dev/full" in redirection and not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    code = tmp_path / "code"
    line = f'{{ "$@"; echo $? >{code}; }} {redirection}'
    arguments = ("degrade", scan, tmp_path / "out" / "coarse.nrrd", *COARSER, "--events", events)
    ended = ctsr(*arguments, through=[*SHELL, line, "sh"])
    assert code.read_text().strip() == "0", ended.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["coarse.nrrd"]
    assert "Traceback" not in ended.err and "Exception" not in ended.err
    if events == "json" and ">&-" not in redirection.replace("2>&-", ""):
        assert ended.events[-1]["event"] == "result"


def test_name_that_the_terminal_cannot_show(ctsr: Ctsr, scan: Path, tmp_path: Path) -> None:
    plain = ["env", "PYTHONIOENCODING=ascii"]
    ended = ctsr("degrade", scan, tmp_path / "größe.nrrd", *COARSER, through=plain)
    assert ended.code == 0, ended.err
    assert (tmp_path / "größe.nrrd").is_file() and "gr\\xf6\\xdfe.nrrd" in ended.out


def test_progress_goes_on_while_what_libraries_write_is_held_back(capfd: pytest.CaptureFixture) -> None:
    with stderr_for_progress() as stream, captured_stderr() as held:
        os.write(2, b"from a library")
        stream.write("how far it is\n")
        stream.flush()
        assert held() == "from a library"
    assert capfd.readouterr().err == "how far it is\n"


def test_stdin_is_left_to_the_shell(ctsr: Ctsr, tmp_path: Path) -> None:
    """The loop that every shell user writes sees all its lines."""
    (tmp_path / "list").write_text("one\ntwo\ncancel\n")
    loop = f'cat {tmp_path / "list"} | while read line; do "$@" >/dev/null && echo done $line; done'
    ended = ctsr("info", through=[*SHELL, loop, "sh"])
    assert ended.out.split("\n") == ["done one", "done two", "done cancel", ""]


INTERRUPTED = """
import os, runpy, signal, sys
module, number, *arguments = sys.argv[1:]

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            os.kill(os.getpid(), getattr(signal, number))

sys.meta_path.insert(0, Interrupt())
sys.argv = ["ctsr", *arguments]
runpy.run_module("CTSuperResolutionLib", run_name="__main__")
"""


ENDING = """
import os, runpy, signal, sys, threading
number, *arguments = sys.argv[1:]

def join(thread, *given, join=threading.Thread.join):
    if thread.name == "cancellation":
        os.kill(os.getpid(), getattr(signal, number))
    join(thread, *given)

threading.Thread.join = join  # the last thing that Cancellation does
sys.argv = ["ctsr", *arguments]
runpy.run_module("CTSuperResolutionLib", run_name="__main__")
"""


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize(("command", "code"), [("info", 0), ("rnu", 2)])
@pytest.mark.parametrize("events", ["text", "json"])
def test_stopped_once_the_last_word_is_said(number: str, command: str, code: int, events: str) -> None:
    """It was too late, and so nothing else is said."""
    root = Path(__file__).resolve().parents[2]
    arguments = [sys.executable, "-c", ENDING, number, command, "--events", events]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, cwd=root, stdin=subprocess.DEVNULL)
    assert done.returncode == code, done.stderr
    assert "Cancelled" not in done.stdout + done.stderr
    if events == "json":
        (last,) = [line for line in done.stdout.splitlines() if json.loads(line)["event"] in ("result", "error")]
        assert json.loads(last).get("exit_code", 0) == code and done.stderr == ""


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("module", ["CTSuperResolutionLib.cli.main", "argparse", "CTSuperResolutionLib.job.events"])
@pytest.mark.parametrize("events", ["text", "json"])
def test_stopped_while_it_begins(number: str, module: str, events: str) -> None:
    def plain() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    command = [sys.executable, "-c", INTERRUPTED, module, number, "info", "--events", events]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=root, preexec_fn=plain, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 3, done.stderr
    if events == "json":
        (line,) = done.stdout.splitlines()
        event = json.loads(line)
        assert (event["event"], event["kind"], event["exit_code"]) == ("error", "cancelled", 3)
        assert number in event["message"] and done.stderr == ""
    else:
        assert done.stderr == f"ctsr: Cancelled: stopped by {number}.\n" and done.stdout == ""
