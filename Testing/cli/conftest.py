"""A tiny job, and ``ctsr`` as a real child process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from CTSuperResolutionLib.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
QUICK = ["--preset", "preview", "--scale", "2"]
for setting in ("views=6", "iterations=3", "ddim_steps=1", "gaussians=500", "max_gaussians=1000"):
    QUICK += ["--set", setting]


@dataclass(frozen=True)
class Ended:
    """What a child process left."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict]:
        return [json.loads(line) for line in self.out.splitlines()]


def _plain_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _start(*arguments: object, through: Sequence[str] = (), **options: object) -> subprocess.Popen:
    command = [*through, sys.executable, "-m", "CTSuperResolutionLib", *map(str, arguments)]
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    if os.name != "nt":
        options.setdefault("preexec_fn", _plain_signals)
    return subprocess.Popen(command, env=ENVIRONMENT, **{**streams, **options})


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Small work is slower on several threads, and this process then computes what a child computes."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen]]:
    """Start ``ctsr`` as a child, with pipes to all its streams; ``through`` a command that gets it as arguments."""
    started = []

    def and_remember(*arguments: object, **options: object) -> subprocess.Popen:
        started.append(_start(*arguments, **options))
        return started[-1]

    yield and_remember
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def ctsr() -> Callable[..., Ended]:
    """Run ``ctsr`` as a child to its end."""

    def run(*arguments: object, **options: object) -> Ended:
        process = _start(*arguments, **options)
        out, err = process.communicate(timeout=120)
        return Ended(process.returncode, out.decode("utf-8"), err.decode("utf-8"))

    return run


@pytest.fixture
def ctsr_here(capfd: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Run ``ctsr`` in this process, which has the libraries loaded already."""

    def run(*arguments: object) -> Ended:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        return Ended(code, *capfd.readouterr())

    return run


@pytest.fixture(scope="session")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chest of 10 x 12 x 16 voxels (z, y, x), 6 mm."""
    from CTSuperResolutionLib.phantom import thorax
    from CTSuperResolutionLib.volume.writing import write_volume

    path = tmp_path_factory.mktemp("scan") / "scan.nrrd"
    write_volume(thorax(shape=(10, 12, 16), spacing=6.0), path)
    return path


@pytest.fixture(scope="session")
def prior(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an untrained, very small prior."""
    import torch

    from CTSuperResolutionLib.diffusion.networks.residual_denoiser import ResidualDenoiser
    from CTSuperResolutionLib.diffusion.prior import save_prior

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("prior") / "small"
    save_prior(ResidualDenoiser(channels=8, blocks=1), folder, card={})
    return folder


@pytest.fixture(scope="session")
def quick(prior: Path) -> Sequence[str]:
    """Options that make a job small."""
    return [*QUICK, "--prior", str(prior), "--device", "cpu"]
