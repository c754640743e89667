"""The worker that does one job after another: ctsr serve, as a real child, and its loop in this process."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from CTSuperResolutionLib.job.cancellation import Cancellation
from CTSuperResolutionLib.job.events import Reporter
from CTSuperResolutionLib.output import worker

posix_only = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")

SETTINGS = {"views": 6, "iterations": 3, "gaussians": 500, "max_gaussians": 1000, "measured": "no"}
LONG = SETTINGS | {"iterations": 100_000}


@pytest.fixture
def job(scan: Path, prior: Path, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """job("name"): a small job to a folder of that name; what is given takes the place of its entries."""

    def make(name: str, **entries: Any) -> dict[str, Any]:
        output = str(tmp_path / "out" / name)
        told = {"input": str(scan), "output": output, "scale": "2", "preset": "preview", "settings": SETTINGS}
        return told | {"prior": str(prior), "device": "cpu"} | entries

    return make


class Talk:
    """What is said to a worker, and what it says."""

    def __init__(self, put: Callable[[bytes], object]) -> None:
        self._put = put
        self.events: list[dict[str, Any]] = []

    def ask(self, values: object) -> None:
        self._put(json.dumps(values).encode() + b"\n")

    def of(self, id: str | None) -> list[dict[str, Any]]:
        return [event for event in self.events if event.get("id", "none at all") == id]

    def last(self, id: str | None, seconds: float = 300.0) -> dict[str, Any]:
        """The last event of a job, once it has come."""
        return self.wait(lambda: [e for e in self.of(id) if e["event"] in ("result", "error")], seconds)[0]

    def begun(self, id: str, stage: str, seconds: float = 300.0) -> None:
        self.wait(lambda: any(e.get("stage") == stage for e in self.of(id)), seconds)

    def wait(self, found: Callable[[], Any], seconds: float) -> Any:
        end = time.monotonic() + seconds
        while not (it := found()):
            assert time.monotonic() < end, self.events[-3:]
            time.sleep(0.01)
        return it


@pytest.fixture
def child(start: Callable[..., subprocess.Popen]) -> Callable[[], tuple[subprocess.Popen, Talk]]:
    """child(): a real worker, and the talk with it."""

    def begin() -> tuple[subprocess.Popen, Talk]:
        process = start("serve", bufsize=0)
        talk = Talk(process.stdin.write)
        threading.Thread(target=lambda: talk.events.extend(map(json.loads, process.stdout)), daemon=True).start()
        return process, talk

    return begin


@pytest.fixture
def here() -> Iterator[Callable[..., tuple[Talk, Callable[[], dict[str, Any]]]]]:
    """here(): the worker's loop in a thread of this process, the talk with it, and what ends and returns it."""
    opened: list[int] = []
    ends: list[Callable[[], object]] = []

    def begin(idle_seconds: float = 600.0) -> tuple[Talk, Callable[[], dict[str, Any]]]:
        read, write = os.pipe()
        opened.append(read)
        talk = Talk(lambda data: os.write(write, data))
        reporter = Reporter(talk.events.append, cancellation=Cancellation())
        found: list[dict[str, Any]] = []
        thread = threading.Thread(
            target=lambda: found.append(worker.serve(read, reporter, idle_seconds=idle_seconds)), daemon=True
        )
        thread.start()
        closed: list[bool] = []

        def end(close: bool = True) -> dict[str, Any]:
            if close and not closed:
                closed.append(True)
                os.close(write)
            thread.join(300)
            return found[0]

        ends.append(end)
        return talk, end

    yield begin
    for end in ends:
        end()
    for descriptor in opened:
        os.close(descriptor)


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.nrrd")}


def test_jobs_of_a_warm_worker_are_those_of_a_fresh_process(child, job, tmp_path, ctsr_here):
    """Whatever came before; the worker ends with its input, after what was asked for."""
    process, talk = child()
    talk.ask({"id": "other", "job": job("other", seed=3, scale="3")})
    process.stdin.write(b"nonsense\n\n")
    talk.ask({"id": "refused", "job": job("refused", input=str(tmp_path / "nowhere.nrrd"))})
    talk.ask({"id": "one", "job": job("one")})
    process.stdin.close()
    process.stdin = None
    assert process.wait(300) == 0, process.stderr.read()
    talk.wait(lambda: talk.events[-1].get("ended"), 60)
    assert talk.events[-1]["event"] == "result" and talk.events[-1]["jobs"] == 3 and "id" not in talk.events[-1]
    assert talk.last(None)["kind"] == talk.last("refused")["kind"] == "input"
    report = talk.last("one")["report"]
    assert [e["event"] for e in talk.of("one")].count("result") == 1 and report["files"]
    path = tmp_path / "job.json"
    path.write_text(json.dumps(job("alone")))
    assert ctsr_here("run", "--job", path).code == 0
    assert digests(tmp_path / "out" / "one") == digests(tmp_path / "out" / "alone") != {}
    assert digests(tmp_path / "out" / "other") != digests(tmp_path / "out" / "one")
    assert not (tmp_path / "out" / "refused").exists()


def test_a_cancelled_job_leaves_nothing_and_the_next_one_is_done_by_the_same_process(child, job, tmp_path):
    process, talk = child()
    talk.ask({"id": "long", "job": job("long", settings=LONG)})
    talk.ask({"id": "waits", "job": job("waits")})
    talk.ask({"id": "next", "job": job("next")})
    talk.begun("long", "fit")
    talk.ask({"cancel": "waits"})
    talk.ask({"cancel": "long"})
    assert talk.last("long")["kind"] == talk.last("waits")["kind"] == "cancelled"
    assert talk.last("next")["event"] == "result"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["next"]
    assert not list((tmp_path / "out").rglob(".ctsr-*"))
    # A signal stops the worker, and with it the job under way.
    talk.ask({"id": "last", "job": job("last", settings=LONG)})
    talk.begun("last", "fit")
    process.send_signal(signal.SIGTERM) if os.name != "nt" else process.stdout.close()
    assert process.wait(60) == 3
    assert talk.last("last", 10)["kind"] == "cancelled"
    assert not (tmp_path / "out" / "last").exists()


def test_a_newer_try_takes_the_place_of_the_ones_before(here, job, tmp_path):
    talk, end = here()
    talk.ask({"id": "1", "try": True, "job": job("1", settings=LONG)})
    talk.begun("1", "fit")
    for id in ("2", "3"):
        talk.ask({"id": id, "try": True, "job": job(id)})
    assert "newer" in talk.last("1")["message"] and "newer" in talk.last("2")["message"]
    files = talk.last("3")["files"]
    assert sorted(files) == ["cubic.nrrd", "result.json", "sr.nrrd"]  # nobody looks at the picture of a try
    assert talk.last("3")["report"]["files"] == ["cubic.nrrd", "sr.nrrd", "result.json"]
    assert end() == {"jobs": 2, "ended": "end of input"}


def test_the_prior_is_read_once_and_again_when_it_changed(here, job, prior, tmp_path, monkeypatch):
    from CTSuperResolutionLib.diffusion.prior import Prior

    place, loaded, load = tmp_path / "prior", [], Prior.load
    place.mkdir()
    for file in prior.iterdir():
        (place / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(Prior, "load", lambda *given, **named: loaded.append(1) or load(*given, **named))
    talk, _ = here()

    def sha256_of(id: str) -> str:
        talk.ask({"id": id, "job": job(id, prior=str(place))})
        return talk.last(id)["report"]["prior"]["sha256"]

    first = sha256_of("1")
    assert sha256_of("2") == first and len(loaded) == 1
    weights = place / "diffusion_pytorch_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 0x01
    weights.write_bytes(content)
    os.utime(weights, (1, 1))
    assert sha256_of("3") == hashlib.sha256(content).hexdigest() != first and len(loaded) == 2


@pytest.mark.parametrize("reason", ["idle", "memory"])
def test_a_worker_that_nobody_needs_ends(here, monkeypatch, reason):
    free = 10 * worker.LEAST_FREE
    monkeypatch.setattr(worker, "LOOK_S", 0.01)
    monkeypatch.setattr(worker, "free_memory", lambda: free)
    _, end = here(idle_seconds=0.05 if reason == "idle" else 600.0)
    free = 10 if reason == "memory" else free
    assert end(close=False) == {"jobs": 0, "ended": reason}
