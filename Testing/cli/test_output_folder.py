"""Results are in their folder whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import pytest

from CTSuperResolutionLib.errors import Advice, JobError
from CTSuperResolutionLib.output.folder import JOURNAL, OutputFolder


def everything_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_published_files_are_all_that_is_there(tmp_path: Path) -> None:
    with OutputFolder(tmp_path / "a" / "b") as folder:
        folder.file("sr.nrrd").write_bytes(b"sr")
        folder.file("result.json").write_bytes(b"{}")
        files = folder.publish()
    assert files == {name: tmp_path / "a" / "b" / name for name in ("sr.nrrd", "result.json")}
    assert list(files)[-1] == "result.json"
    assert everything_in(tmp_path / "a" / "b") == {"sr.nrrd": b"sr", "result.json": b"{}"}


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
def test_staging_is_private_and_inside(tmp_path: Path) -> None:
    with OutputFolder(tmp_path) as folder:
        assert folder.staging.parent == tmp_path
        assert stat.S_IMODE(folder.staging.stat().st_mode) == 0o700


def test_nothing_is_left_of_a_failure_not_even_the_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError), OutputFolder(tmp_path / "a" / "b") as folder:
        folder.file("sr.nrrd").write_bytes(b"sr")
        raise ValueError
    assert list(tmp_path.iterdir()) == []


def test_failure_leaves_older_results_alone(tmp_path: Path) -> None:
    (tmp_path / "sr.nrrd").write_bytes(b"old")
    with pytest.raises(ValueError), OutputFolder(tmp_path) as folder:
        folder.file("sr.nrrd").write_bytes(b"new")
        raise ValueError
    assert everything_in(tmp_path) == {"sr.nrrd": b"old"}


def test_older_results_are_replaced_and_other_files_kept(tmp_path: Path) -> None:
    (tmp_path / "sr.nrrd").write_bytes(b"old")
    (tmp_path / "notes.txt").write_bytes(b"mine")
    with OutputFolder(tmp_path) as folder:
        folder.file("sr.nrrd").write_bytes(b"new")
        folder.publish()
    assert everything_in(tmp_path) == {"sr.nrrd": b"new", "notes.txt": b"mine"}


def test_dropped_files_go_when_the_new_ones_come(tmp_path: Path) -> None:
    for name in ("sr.nrrd", "uncertainty.nrrd"):
        (tmp_path / name).write_bytes(b"old")
    with OutputFolder(tmp_path) as folder:
        folder.drop("uncertainty.nrrd")
    assert everything_in(tmp_path) == {"sr.nrrd": b"old", "uncertainty.nrrd": b"old"}
    with OutputFolder(tmp_path) as folder:
        folder.file("sr.nrrd").write_bytes(b"new")
        folder.drop("uncertainty.nrrd")
        folder.drop("never there.nrrd")
        assert set(folder.publish()) == {"sr.nrrd"}
    assert everything_in(tmp_path) == {"sr.nrrd": b"new"}


def test_file_that_cannot_be_replaced_brings_the_older_ones_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("cubic.nrrd", "sr.nrrd", "uncertainty.nrrd"):
        (tmp_path / name).write_bytes(b"old")
    replace = os.replace

    def locked(source: Path, target: Path) -> None:
        if Path(target) == tmp_path / "sr.nrrd" and Path(source).parent.name.startswith(".ctsr-"):
            raise PermissionError(13, "in use")  # as Windows does for a file that is open
        replace(source, target)

    monkeypatch.setattr(os, "replace", locked)
    with pytest.raises(JobError, match=r"sr\.nrrd cannot be replaced \(in use\)"), OutputFolder(tmp_path) as folder:
        for name in ("cubic.nrrd", "sr.nrrd", "zzz.png"):
            folder.file(name).write_bytes(b"new")
        folder.drop("uncertainty.nrrd")
        folder.publish()
    assert everything_in(tmp_path) == {name: b"old" for name in ("cubic.nrrd", "sr.nrrd", "uncertainty.nrrd")}


@pytest.mark.parametrize("below", [".", "deeper/still"])
def test_output_that_is_a_file(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(JobError, match=r"cannot be written \(Not a directory\); choose another"):
        OutputFolder(tmp_path / "file" / below).__enter__()
    assert everything_in(tmp_path) == {"file": b"x"}


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="a file system that refuses new files, for root, too")
def test_folder_that_cannot_be_written() -> None:
    with pytest.raises(JobError, match="cannot be written"):
        OutputFolder("/proc/self").__enter__()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(JobError, match="Permission denied"):
        OutputFolder(tmp_path / "new").__enter__()


def test_full_disk_is_said_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9 - 5_000_000, 5_000_000))
    with pytest.raises(JobError, match=r"has 5 MB free and the results may take 40 MB"):  # noqa: SIM117
        with OutputFolder(tmp_path / "new") as folder:
            folder.require_space(4_000_000)
            folder.require_space(40_000_000)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["folder", "link to a folder", "pipe"])
def test_what_is_no_file_is_never_replaced(tmp_path: Path, kind: str) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine").write_bytes(b"mine")
    out = tmp_path / "out"
    out.mkdir()
    if kind == "pipe":
        if not hasattr(os, "mkfifo"):
            pytest.skip("no named pipes")
        os.mkfifo(out / "sr.nrrd")
    elif kind == "folder":
        (tmp_path / "there").rename(out / "sr.nrrd")
    else:
        (out / "sr.nrrd").symlink_to(tmp_path / "there")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(JobError, match=r"sr\.nrrd cannot be written"), OutputFolder(out) as folder:
        folder.require_replaceable(["cubic.nrrd", "sr.nrrd"], tmp_path / "scan.nrrd")
    assert sorted(tmp_path.rglob("*")) == before


def test_folder_made_during_the_work_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "cubic.nrrd").write_bytes(b"old")
    with pytest.raises(JobError, match=r"sr\.nrrd cannot be replaced"), OutputFolder(tmp_path) as folder:
        for name in ("cubic.nrrd", "sr.nrrd"):
            folder.file(name).write_bytes(b"new")
        (tmp_path / "sr.nrrd").mkdir()
        (tmp_path / "sr.nrrd" / "mine").write_bytes(b"mine")
        folder.publish()
    assert (tmp_path / "sr.nrrd" / "mine").read_bytes() == b"mine"
    assert (tmp_path / "cubic.nrrd").read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 2


def test_two_at_work_on_results_of_several_files_do_not_mix_them(tmp_path: Path) -> None:
    with OutputFolder(tmp_path / "out", alone=True) as first:
        for path in (tmp_path / "out", tmp_path / "." / "out"):
            with pytest.raises(JobError, match=r"Another ctsr is at work on results for .*out; wait"):
                OutputFolder(path, alone=True).__enter__()
        assert list((tmp_path / "out").iterdir()) == [first.staging]
        with OutputFolder(tmp_path / "out") as single:  # a file by itself mixes with nothing
            single.file("degraded.nrrd").write_bytes(b"x")
            single.publish()
        first.file("sr.nrrd").write_bytes(b"sr")
        first.publish()
    with OutputFolder(tmp_path / "out", alone=True) as third:
        third.file("cubic.nrrd").write_bytes(b"cubic")
        third.publish()
    assert everything_in(tmp_path / "out") == {"degraded.nrrd": b"x", "sr.nrrd": b"sr", "cubic.nrrd": b"cubic"}


HOLDER = """
import sys
from CTSuperResolutionLib.output.folder import OutputFolder
with OutputFolder(sys.argv[1], alone=True):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_a_lock_goes_with_its_process(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as holder:
        assert holder.stdout.readline() == b"locked\n"
        with pytest.raises(JobError, match="Another ctsr is at work"):
            OutputFolder(tmp_path / "out", alone=True).__enter__()
        holder.kill()
        holder.wait()
        with OutputFolder(tmp_path / "out", alone=True):
            pass


def test_a_file_system_without_locks_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with OutputFolder(tmp_path / "out", alone=True):
        pass


def test_folder_that_cannot_be_written_is_unlocked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", lambda *_, **__: os.open(tmp_path / "none", os.O_RDONLY))
        with pytest.raises(JobError, match="cannot be written"):
            OutputFolder(tmp_path, alone=True).__enter__()
    with OutputFolder(tmp_path, alone=True):
        pass


def test_sentences_name_the_folder_that_the_user_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / "out", Path("out"), Path()):
        with pytest.raises(JobError) as caught, OutputFolder(path) as folder:
            raise JobError(f"{folder.file('sr.nrrd')} is bad", Advice("do something else"))
        assert str(caught.value) == f"{path / 'sr.nrrd'} is bad; do something else."


def test_folder_that_goes_while_it_is_worked_on(tmp_path: Path) -> None:
    with pytest.raises(JobError, match=rf"not be written to {tmp_path / 'out'} \(No such"):  # noqa: SIM117
        with OutputFolder(tmp_path / "out") as folder:
            shutil.rmtree(tmp_path / "out")
            folder.require_space(1)
    with pytest.raises(FileNotFoundError, match="elsewhere"), OutputFolder(tmp_path / "out"):
        (tmp_path / "elsewhere").read_bytes()


KILLED = """
import os, sys
from pathlib import Path
from CTSuperResolutionLib.output.folder import OutputFolder
mkdir, left = Path.mkdir, [int(sys.argv[2])]
def last(*values, **named):
    mkdir(*values, **named)
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), 9)
Path.mkdir = last
OutputFolder(sys.argv[1]).__enter__()
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
@pytest.mark.parametrize("folders", [1, 2, 3])
def test_nothing_is_left_of_a_kill_as_soon_as_a_folder_is_made(tmp_path: Path, folders: int) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    command = [sys.executable, "-c", KILLED, str(tmp_path / "a" / "b"), str(folders)]
    assert subprocess.run(command, env=environment, check=False).returncode == -9
    end = time.monotonic() + 10
    while (tmp_path / "a").exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("call", ["write_text", "replace to the folder", "unlink"])
def test_a_journal_that_cannot_be_written_or_removed_leaves_older_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    for name in ("sr.nrrd", "uncertainty.nrrd"):
        (tmp_path / name).write_bytes(b"old")
    with pytest.raises(JobError) as caught, OutputFolder(tmp_path) as folder:
        folder.file("sr.nrrd").write_bytes(b"new")
        folder.drop("uncertainty.nrrd")
        refuse_journal(monkeypatch, call)
        folder.publish()
    monkeypatch.undo()
    assert str(caught.value).startswith(f"The results could not be written to {tmp_path} (Input/output error); ")
    assert everything_in(tmp_path) == {"sr.nrrd": b"old", "uncertainty.nrrd": b"old"}


def refuse_journal(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """Have a call fail for the journal of publishing."""
    module, name = (os, "replace") if call.startswith("replace") else (Path, call)
    kept = getattr(module, name)

    def refuse(path: Path, *values: object, **named: object) -> object:
        if Path(path).name == JOURNAL:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return kept(path, *values, **named)

    monkeypatch.setattr(module, name, refuse)


def test_an_obsolete_result_that_cannot_be_moved_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "uncertainty.nrrd").write_bytes(b"old")
    replace, calls = os.replace, []

    def fail_once(source: Path, target: Path) -> None:
        if Path(source).name == "uncertainty.nrrd":
            calls.append(source)
            if len(calls) == 1:
                raise OSError(errno.EIO, os.strerror(errno.EIO), str(source))
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail_once)
    with pytest.raises(JobError, match=r"uncertainty\.nrrd cannot be replaced"), OutputFolder(tmp_path) as folder:
        folder.file("sr.nrrd").write_bytes(b"new")
        folder.drop("uncertainty.nrrd")
        folder.publish()
    assert everything_in(tmp_path) == {"uncertainty.nrrd": b"old"}


def test_source_is_not_replaced_by_any_of_its_names(tmp_path: Path) -> None:
    (tmp_path / "sr.nrrd").write_bytes(b"scan")
    (tmp_path / "link.nrrd").symlink_to("sr.nrrd")
    for source in (tmp_path / "sr.nrrd", tmp_path / ".." / tmp_path.name / "sr.nrrd", tmp_path / "link.nrrd"):
        with pytest.raises(JobError, match="would replace the input"), OutputFolder(tmp_path) as folder:
            folder.require_replaceable(["sr.nrrd"], source)
    with OutputFolder(tmp_path) as folder:
        folder.require_replaceable(["sr.nrrd", "cubic.nrrd"], tmp_path / "other.nrrd")
