"""Many scans at once: ctsr batch, with scans that are broken, stopped and resumed, by every engine."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from CTSuperResolutionLib.cohort import cohort, engines
from CTSuperResolutionLib.cohort.task import CohortOutcome, CohortTask
from CTSuperResolutionLib.job.job import Job
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.phantom import thorax
from CTSuperResolutionLib.volume.writing import write_volume

HAS_RAY = importlib.util.find_spec("ray") is not None
ITS_OWN = ("seconds", "peak_mb")
"""What differs from one run to the next."""


def make_scans(folder: Path, good: int) -> Path:
    """A table of so many scans of different sizes, and of three that are broken: cut off, no CT, and not there."""
    folder.mkdir()
    rows = []
    for number in range(good):
        write_volume(thorax(shape=(8, 8, 8 + 2 * (number % 5)), spacing=12.0), folder / f"scan{number}.nrrd")
        rows.append((f"scan{number}.nrrd", "3" if number == 1 else ""))
    whole = (folder / "scan0.nrrd").read_bytes()
    (folder / "cut.nrrd").write_bytes(whole[: len(whole) // 2])
    (folder / "nonsense.nrrd").write_bytes(b"nothing of the kind")
    rows[1:1] = [("cut.nrrd", ""), ("nonsense.nrrd", ""), ("nowhere.nrrd", "")]
    table = folder / "table.csv"
    table.write_text("scan,scale\n" + "\n".join(map(",".join, rows)) + "\n")
    return table


def rows_of(out: Path) -> list[dict]:
    rows = json.loads((out / "cohort.json").read_text())["rows"]
    return [{name: value for name, value in row.items() if name not in ITS_OWN} for row in rows]


@pytest.fixture
def begun(monkeypatch) -> list[str]:
    """The tasks that children were begun for."""
    names: list[str] = []

    class Counted(engines.TaskWorker):
        def begin(self, task):
            names.append(task.name)
            super().begin(task)

    monkeypatch.setattr(engines, "TaskWorker", Counted)
    return names


@pytest.mark.slow
def test_broken_scans_are_listed_and_the_same_command_goes_on(tmp_path, quick, ctsr_here, begun):
    table, out = make_scans(tmp_path / "in", 2), tmp_path / "out"
    ended = ctsr_here("batch", table, out, *quick)
    assert ended.code == 0 and "2 of 5 scans are done." in ended.out, ended.err
    # The larger result first; of what has no header nothing is known.
    assert begun[0] == "scan1" and set(begun[1:3]) == {"scan0", "cut"}
    rows = rows_of(out)
    assert [(row["name"], row["status"]) for row in rows] == [
        ("scan0", "done"), ("cut", "failed"), ("nonsense", "failed"), ("nowhere", "failed"), ("scan1", "done")
    ]  # fmt: skip
    assert rows[0]["shape"] == [16, 16, 16] and rows[4]["scale"] == [3, 3, 3]
    assert rows[0]["sr_rms_hu"] < rows[0]["cubic_rms_hu"]
    assert all(row["error"].endswith(".") and row["kind"] == "input" for row in rows[1:4])
    with (out / "cohort.csv").open(newline="") as file:
        assert [row["name"] for row in csv.DictReader(file)] == [row["name"] for row in rows]
    text = (out / "cohort.md").read_text()
    assert text.count("\n| scan0 |") == text.count("\n| cut |") == 1 and "not for diagnosis" in text
    assert {"sr.nrrd", "cubic.nrrd", "result.json", "compare.png"} <= {path.name for path in (out / "scan0").iterdir()}
    assert not (out / "cut").exists()
    # One is mended, of one the result went, and one stays.
    begun.clear()
    shutil.copy(tmp_path / "in" / "scan0.nrrd", tmp_path / "in" / "cut.nrrd")
    (out / "scan1" / "result.json").unlink()
    again = ctsr_here("batch", table, out, *quick)
    assert again.code == 0 and "3 of 5" in again.out and "1 of 5 scans are done already" in again.err
    assert sorted(begun) == ["cut", "nonsense", "nowhere", "scan1"]
    assert rows_of(out)[0] == rows[0] and rows_of(out)[4] == rows[4]


def test_a_cohort_of_which_nothing_could_be_done_is_no_success(tmp_path, quick, ctsr_here):
    (tmp_path / "table.csv").write_text("scan\nnowhere.nrrd\n")
    ended = ctsr_here("batch", tmp_path / "table.csv", tmp_path / "out", *quick)
    assert ended.code == 2 and "No scan of 1 could be done; " in ended.err and "cohort.md says why." in ended.err
    assert [row["status"] for row in rows_of(tmp_path / "out")] == ["failed"]


DIES_OF_THE_SECOND = """
import json, os, sys
first = json.loads(sys.stdin.readline())["id"]
print(json.dumps({"id": first, "event": "error", "kind": "input", "message": "So it is."}), flush=True)
sys.stdin.readline()
os._exit(9)
"""


def test_a_child_that_dies_is_one_scans_failure(tmp_path, monkeypatch):
    """The scan before had the same child, and the one after has another."""
    from CTSuperResolutionLib.cohort import child

    monkeypatch.setattr(child, "COMMAND", (sys.executable, "-c", DIES_OF_THE_SECOND))
    tasks = [CohortTask(name, Job(Method("2"), "in", f"out{name}"), None, name, 1.0) for name in "abc"]
    found = {task.name: outcome for task, outcome in engines.run_local(tasks, 0, lambda: None)}
    assert [found[name].kind for name in "abc"] == ["input", "crash", "input"] and "code 9" in found["b"].error


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_cohort_that_is_stopped_leaves_what_is_done_and_nothing_else(tmp_path, quick, start):
    table, out = make_scans(tmp_path / "in", 2), tmp_path / "out"
    table.write_text("scan,scale,name\nscan0.nrrd,3,first\nscan0.nrrd,2,second\n")
    slow = [*quick, "--set", "iterations=100000"]
    process = start("batch", table, out, *slow, "--events", "json")
    end = time.monotonic() + 60
    while not list(out.glob("first/.ctsr-*")) and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(8) == 3
    assert json.loads(process.stdout.read().splitlines()[-1])["kind"] == "cancelled"
    end = time.monotonic() + 10
    while out.exists() and (left := list(out.iterdir())):  # a killed child is tidied after by another process
        assert time.monotonic() < end, left
        time.sleep(0.05)


def test_slurm_gets_an_array_whose_jobs_do_one_scan_each(tmp_path, quick, ctsr_here, monkeypatch):
    table, out = make_scans(tmp_path / "in", 3), tmp_path / "out"
    done: list[str] = []

    def pretend(tasks, gpus, check):
        for task in tasks:
            done.append(task.name)
            (out / task.name).mkdir()
            (out / task.name / "result.json").touch()
            yield task, CohortOutcome(task.key, "done", None, None, {})

    monkeypatch.setattr(cohort, "run_local", pretend)
    ended = ctsr_here("batch", table, out, *quick, "--engine", "slurm")
    assert ended.code == 0 and "sbatch" in ended.out and not (out / "cohort.json").exists(), ended.err
    script = (out / "cohort.sbatch").read_text()
    assert "--array=0-5\n" in script and "--gres" not in script  # the jobs are for the CPU
    # bash runs it as an array's job would; what it starts only tells how it was called.
    told = script.replace("exec ", "printf '%s\\n' ")
    calls = []
    for number in range(6):
        environment = {**os.environ, "SLURM_ARRAY_TASK_ID": str(number)}
        printed = subprocess.run(["bash", "-c", told], env=environment, capture_output=True, text=True, check=True)
        calls.append(printed.stdout.splitlines())
    assert calls[0][-1] == "scan1" and len({call[-1] for call in calls}) == 6
    for call in calls[:3]:
        assert call[1:3] == ["-m", "CTSuperResolutionLib"] and ctsr_here(*call[3:]).code == 0
    assert done == [call[-1] for call in calls[:3]]
    assert ctsr_here(*calls[0][3:]).code == 0 and len(done) == 3  # it is done
    # The same call with another engine does what is missing, and the report.
    assert ctsr_here("batch", table, out, *quick).code == 0 and len(done) == 6
    assert [row["status"] for row in rows_of(out)] == ["done"] * 6


def test_every_gpu_has_a_task_for_itself(tmp_path, monkeypatch):
    """Two at a time, none on a GPU that another has."""
    at_work: dict[int, str] = {}
    seen: list[tuple[str, int]] = []
    stopped: list[int] = []

    class Pretended:
        def __init__(self, gpu):
            self.task, self.gpu = None, gpu

        def begin(self, task):
            assert self.gpu not in at_work
            at_work[self.gpu] = task.name
            seen.append((task.name, self.gpu))
            self.task, self.left = task, 3 if task.name == "0" else 1

        def outcome(self):
            self.left -= 1
            if self.left:
                return None
            done, self.task = self.task, None
            del at_work[self.gpu]
            return CohortOutcome.failed(done.key, "input", "So it is.")

        def stop(self):
            stopped.append(self.gpu)

    monkeypatch.setattr(engines, "TaskWorker", Pretended)
    monkeypatch.setattr(engines, "POLL_S", 0.0)
    tasks = [CohortTask(str(n), Job(Method("2"), "in", f"out{n}"), None, str(n), 1.0) for n in range(5)]
    found = list(engines.run_local(tasks, 2, lambda: None))
    assert sorted(task.name for task, _ in found) == ["0", "1", "2", "3", "4"] and not at_work
    assert seen == [("0", 0), ("1", 1), ("2", 1), ("3", 1), ("4", 0)] and stopped == [0, 1]


@pytest.mark.skipif(HAS_RAY, reason="Ray is installed")
def test_without_ray_the_sentence_says_what_to_install(tmp_path, ctsr_here):
    table = make_scans(tmp_path / "in", 2)
    ended = ctsr_here("batch", table, tmp_path / "out", "--engine", "ray")
    assert ended.code == 2 and 'pip install "ctsuperresolution[ray]"' in ended.err


@pytest.mark.slow
@pytest.mark.parametrize(
    "engine", ["local", pytest.param("ray", marks=pytest.mark.skipif(not HAS_RAY, reason="no Ray"))]
)
def test_twenty_scans_of_which_three_are_broken(tmp_path, quick, ctsr_here, monkeypatch, engine):
    """The same table by every engine: what is not the engine's own is that of 'ctsr run'."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # as here: sums in another order end in other bits
    table, out = make_scans(tmp_path / "in", 17), tmp_path / "out"
    assert ctsr_here("batch", table, out, *quick, "--engine", engine).code == 0
    rows = rows_of(out)
    assert [row["status"] for row in rows].count("done") == 17 and len(rows) == 20
    alone = tmp_path / "alone"
    assert ctsr_here("run", tmp_path / "in" / "scan7.nrrd", alone, *quick).code == 0
    report = json.loads((alone / "result.json").read_text())
    (row,) = (row for row in rows if row["name"] == "scan7")
    assert row["shape"] == report["output"]["shape"]
    assert row["sr_rms_hu"] == report["consistency"]["sr"]["rms_hu"]
    assert (out / "scan7" / "sr.nrrd").read_bytes() == (alone / "sr.nrrd").read_bytes()
