"""ctsr fetch-prior against a stand-in for the hub: the model's page, then the file with ranges, as the real one."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from CTSuperResolutionLib.diffusion.prior import Prior
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.priors import find_prior, known_priors, prior_name

ROOT = Path(__file__).resolve().parents[2]
NAME, FILE, REVISION = "hub:Some-one/x-ray.prior", "ema_0.9999.pt", "0123456789abcdef" * 2 + "01234567"


class Hub(ThreadingHTTPServer):
    """Serves one repository with one checkpoint; what is asked for is in ``asked``."""

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.content = content
        self.sha256 = hashlib.sha256(content).hexdigest()
        self.files = [FILE]
        self.breaks = 0  # how often to hang up before the end
        self.go_on = threading.Event()  # unset: what comes of the file waits before its end
        self.go_on.set()
        self.asked: list[str] = []


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def log_message(self, *arguments: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        hub, path = self.server, self.path.partition("?")[0]
        hub.asked.append(f"{self.command} {self.path} {self.headers.get('Range', '')}".strip())
        repository = NAME.removeprefix("hub:")
        if path == f"/api/models/{repository}":
            lfs = {"sha256": hub.sha256, "size": len(hub.content), "pointerSize": 134}
            siblings = [{"rfilename": "README.md", "size": 10, "blobId": "0"}]
            siblings += [{"rfilename": f, "size": len(hub.content), "blobId": "1", "lfs": lfs} for f in hub.files]
            tags = ["diffusion", "license:apache-2.0"]
            page = {"id": repository, "modelId": repository, "sha": REVISION, "siblings": siblings, "tags": tags}
            self._send(200, json.dumps(page).encode(), body, {"Content-Type": "application/json"})
        elif path == f"/{repository}/resolve/{REVISION}/{FILE}":
            start = int((re.findall(r"bytes=(\d+)-", self.headers.get("Range", "")) or [0])[0])
            headers = {"ETag": f'"{hub.sha256}"', "X-Repo-Commit": REVISION, "Accept-Ranges": "bytes"}
            if start:
                headers["Content-Range"] = f"bytes {start}-{len(hub.content) - 1}/{len(hub.content)}"
            self._send(206 if start else 200, hub.content[start:], body, headers)
        else:
            self._send(404, b"", body, {"X-Error-Code": "RepoNotFound"})

    def _send(self, status: int, content: bytes, body: bool, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if body and "ETag" in headers and self.server.breaks:
            self.server.breaks -= 1
            self.wfile.write(content[:-1000])
            self.close_connection = True
        elif body and "ETag" in headers and not self.server.go_on.is_set():
            self.wfile.write(content[:-1000])
            self.server.go_on.wait(60)
            self.close_connection = True
        elif body:
            self.wfile.write(content)


@pytest.fixture
def hub(guided_diffusion, tmp_path):
    torch.save(guided_diffusion["half-width first level"].state_dict(), tmp_path / "original.pt")
    server = Hub((tmp_path / "original.pt").read_bytes())
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def start(hub, cache):
    """Start ``ctsr fetch-prior`` as a user does, connected to the stand-in alone."""
    started = []

    def run(*arguments: str) -> subprocess.Popen:
        address = f"http://127.0.0.1:{hub.server_address[1]}"
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_ENDPOINT": address}
        environment = {k: v for k, v in environment.items() if not k.lower().endswith("_proxy")}
        environment.pop("HF_HUB_OFFLINE", None)
        command = [sys.executable, "-m", "CTSuperResolutionLib", "fetch-prior", *(arguments or (NAME,))]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        started.append(subprocess.Popen(command, env=environment, text=True, **pipes))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def fetch(start):
    """Run it to its end."""

    def run(*arguments: str, answer: str = "") -> subprocess.CompletedProcess:
        process = start(*arguments)
        out, err = process.communicate(answer, timeout=120)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    return run


def left(cache: Path) -> list[str]:
    """All files in the cache."""
    return sorted(str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file())


@pytest.mark.slow
def test_asked_fetched_and_used_by_name(fetch, hub, tmp_path, cache):
    """After a connection that broke on the way, too; and a second call downloads nothing."""
    with pytest.raises(JobError, match=re.escape(f"run 'ctsr fetch-prior {NAME}' once")):
        find_prior(NAME)
    hub.breaks = 1
    done = fetch(answer="y\n")
    assert done.returncode == 0, done.stderr
    assert f"{FILE}, {len(hub.content) / 1e6:.1f} MB, licence apache-2.0, revision {REVISION}" in done.stderr
    assert hub.sha256 in done.stderr and "[y/N]" in done.stdout and f"--prior {NAME}" in done.stdout
    ranges = [asked for asked in hub.asked if "bytes=" in asked]
    assert len(ranges) == 1 and "bytes=0-" not in ranges[0]  # it went on where it broke

    folder = find_prior(NAME)
    assert known_priors()[NAME] == folder and prior_name(NAME) == NAME
    prior, original = Prior.load(folder), Prior.load(tmp_path / "original.pt")
    assert prior.sha256 == original.sha256
    images = torch.zeros(1, 1, 16, 16)
    torch.testing.assert_close(prior.predict_noise(images, 9), original.predict_noise(images, 9))
    files = [name for name in left(cache) if not name.startswith("checkpoints")]
    assert {name.rpartition("/")[0] for name in files} == {"hub/Some-one/x-ray.prior"}

    hub.asked.clear()
    again = fetch()
    assert again.returncode == 0 and "[y/N]" not in again.stdout
    assert [asked for asked in hub.asked if "/resolve/" in asked] == []


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_without_a_yes_nothing_is_downloaded(answer, fetch, hub, cache):
    done = fetch(answer=answer)
    assert done.returncode == (3 if answer else 2)
    assert ("Nothing was downloaded" if answer else "add --yes") in done.stderr
    assert [asked for asked in hub.asked if "/resolve/" in asked] == [] and left(cache) == []


def test_another_content_than_announced_does_not_stay(fetch, hub, cache):
    hub.content = hub.content[:-1] + bytes([hub.content[-1] ^ 1])
    done = fetch(NAME, "--yes")
    assert done.returncode == 2 and "came otherwise than the hub describes it" in done.stderr
    assert left(cache) == []


@pytest.mark.slow
def test_a_connection_that_stays_broken_leaves_nothing(fetch, hub, cache):
    hub.breaks = 100
    done = fetch(NAME, "--yes", "--events", "json")
    final = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 2 and final["kind"] == "input"
    assert "could not be downloaded" in final["message"] and "run it again" in final["message"]
    assert left(cache) == []


def test_a_download_that_hangs_can_be_cancelled(start, hub, cache):
    hub.go_on.clear()
    process = start(NAME, "--yes", "--events", "json")
    until = time.monotonic() + 60
    while not any(path.stat().st_size for path in (cache / "downloads").rglob("*.incomplete")):
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.05)
    out, _ = process.communicate("cancel\n", timeout=20)
    hub.go_on.set()
    assert process.returncode == 3 and json.loads(out.splitlines()[-1])["kind"] == "cancelled"
    assert left(cache) == []


@pytest.mark.slow
def test_a_checkpoint_of_something_else_does_not_stay(fetch, hub, tmp_path, cache):
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pt")
    hub.content = (tmp_path / "other.pt").read_bytes()
    hub.sha256 = hashlib.sha256(hub.content).hexdigest()
    done = fetch(NAME, "--yes")
    assert done.returncode == 2 and "is not of a guided-diffusion UNet" in done.stderr
    assert left(cache) == []


def test_several_checkpoints_have_to_be_told_apart(fetch, hub, cache):
    hub.files = [FILE, "model.pt"]
    done = fetch(NAME, "--yes")
    assert done.returncode == 2 and f"choose one with --file: {FILE}, model.pt" in done.stderr
    done = fetch(NAME, "--yes", "--file", "README.md")
    assert done.returncode == 2 and "has no checkpoint README.md" in done.stderr
    assert left(cache) == []


@pytest.mark.parametrize("name", ["hub:Some-one/unknown", "hub:nothing", "hub:../../etc"])
def test_a_name_that_leads_nowhere_is_said(name, fetch):
    done = fetch(name, "--yes")
    assert done.returncode == 2
    assert (
        "no such public repository" if name.endswith("unknown") else "not of the form hub:OWNER/NAME"
    ) in done.stderr


def test_json_events_cannot_ask(fetch, hub):
    done = fetch(NAME, "--events", "json")
    assert done.returncode == 2 and "add --yes" in done.stdout and hub.asked == []
