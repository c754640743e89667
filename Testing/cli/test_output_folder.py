"""Results are in their folder whole or not at all."""

from __future__ import annotations

import os
import shutil
import stat
from collections import namedtuple
from pathlib import Path

import pytest

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.output.folder import OutputFolder


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


def test_source_is_not_replaced_by_any_of_its_names(tmp_path: Path) -> None:
    (tmp_path / "sr.nrrd").write_bytes(b"scan")
    (tmp_path / "link.nrrd").symlink_to("sr.nrrd")
    for source in (tmp_path / "sr.nrrd", tmp_path / ".." / tmp_path.name / "sr.nrrd", tmp_path / "link.nrrd"):
        with pytest.raises(JobError, match="would replace the input"), OutputFolder(tmp_path) as folder:
            folder.require_replaceable(["sr.nrrd"], source)
    with OutputFolder(tmp_path) as folder:
        folder.require_replaceable(["sr.nrrd", "cubic.nrrd"], tmp_path / "other.nrrd")
