"""Whole runs: the command's own process on generated scans, its time and processor by stage, its memory, its limits."""

from __future__ import annotations

import copy
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import torch
from torch.utils.flop_counter import FlopCounterMode

from CTSuperResolutionLib.bench.cases import RUN
from CTSuperResolutionLib.degradation.simulation import degrade
from CTSuperResolutionLib.diffusion.networks.image_acquisition import ImageAcquisition
from CTSuperResolutionLib.diffusion.prior import Prior
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.job.process import child_environment
from CTSuperResolutionLib.kernels.constants import TILE
from CTSuperResolutionLib.phantom import thorax
from CTSuperResolutionLib.planning.cost_model import estimate_memory, pixels_looked_at
from CTSuperResolutionLib.stages.scan_findings import ScanFindings
from CTSuperResolutionLib.volume.volume import Volume
from CTSuperResolutionLib.volume.writing import write_volume

POLL_S = 0.1
PRODUCTS_LEFT = (TILE + 2) ** 2 / (9 * TILE**2)  # by minimal filtering of 3 × 3, of those of a direct sum
SAMPLE = 64  # pixels along each side of the image that the network's operations are counted on


@dataclass(frozen=True)
class RunCase:
    """A scan, and what is asked of it.

    Attributes:
        name: for a table. shape: voxels (z, y, x) of the scan. spacing: of its rows and columns, mm.
        thick: how many times as thick its slices are, as many of them averaged to one.
        scale: what the command is given.
    """

    name: str
    shape: tuple[int, int, int]
    spacing: float
    thick: int
    scale: str

    def scan(self, progress: Progress) -> Volume:
        """A made-up chest, scanned."""
        z, y, x = self.shape
        fine = thorax(shape=(z * self.thick, y, x), spacing=self.spacing, progress=progress)
        if self.thick == 1:
            return fine
        return degrade(fine, (self.thick, 1, 1), kernel="mean")


RUNS = (
    RunCase("128³ to 512³", (128, 128, 128), 1.5, 1, "4"),
    RunCase("512 × 512 × 86 thick slices", (86, 512, 512), 0.8333, 6, "6,1,1"),
)


@dataclass(frozen=True)
class WholeRun:
    """What a run took.

    Attributes:
        case: run. seconds: from the process's start to its end. processor: its seconds on a core, by stage.
        operations: that the prior's network needs at least. estimated: bytes of memory, where it is not in slabs.
        result: the process's last event.
    """

    case: RunCase
    seconds: float
    processor: dict[str, float]
    operations: float
    estimated: int
    result: dict[str, Any]

    def row(self, flops: float) -> dict[str, Any]:
        """As a report has it; ``flops`` are the operations that the device does in a second."""
        cores, report = os.cpu_count() or 1, self.result["report"]
        return {
            "op": RUN,
            "case": self.case.name,
            "seconds": self.seconds,
            "peak_mb": self.result["peak_mb"],
            "estimated_mb": self.estimated / 1e6,
            "slabs": report["slabs"],
            "processor": sum(self.processor.values()) / self.seconds / cores,
            "arithmetic": self.operations / self.seconds / flops,
            "stages": {
                name: {**taken, "processor": self.processor.get(name, 0.0) / max(taken["seconds"], 1e-3) / cores}
                for name, taken in report["stages"].items()
            },
        }


def measure_run(case: RunCase, device: torch.device, progress: Progress) -> WholeRun:
    """Run ``ctsr run`` on a case's scan, with the default preset and the shipped prior.

    Raises:
        JobError: it did not come to its end; says why.
        Cancelled: ``progress`` was asked to stop; the process is ended, and its files are gone.
    """
    with tempfile.TemporaryDirectory(prefix="ctsr-bench-") as folder:
        scan = case.scan(progress)
        write_volume(scan, Path(folder) / "scan.nrrd")
        command = ["run", "scan.nrrd", "result", "--scale", case.scale, "--device", str(device), "--events", "json"]
        started = time.monotonic()
        processor: dict[str, float] = {}
        last: dict[str, Any] = {}
        for event, stage, seconds in _events(command, Path(folder), progress):
            processor[stage] = processor.get(stage, 0.0) + seconds
            last = event
        elapsed = time.monotonic() - started
    if last.get("event") != "result":
        raise JobError(f"The run {case.name} did not come to its end: {last.get('message', 'it says nothing')}")
    method = Method(case.scale)
    p, target = method.parameters, method.target_grid(scan.shape, scan.spacing)
    factors, shown = target.factors, ScanFindings.of(scan, target, p).shown_share(target)
    looks = pixels_looked_at(p, scan.shape, factors, scan.spacing, shown)
    operations = looks * operations_a_pixel(Prior.load(method.prior_place))
    estimated = estimate_memory(p, scan.shape, factors, scan.spacing)
    return WholeRun(case, elapsed, processor, operations, estimated, last)


def operations_a_pixel(prior: Prior) -> float:
    """Operations of the network's convolutions for a pixel that it looks at, a fused multiply-add being two.

    Those that the CPU library does come without three quarters of the products.
    """
    image = torch.zeros(1, 1, SAMPLE, SAMPLE)
    prior = prior.at(ImageAcquisition(4.0, 4.0))
    by_torch, all_by_torch = (_operations(network, image) for network in (prior, _trainable(prior)))
    return (by_torch + (all_by_torch - by_torch) * PRODUCTS_LEFT) / SAMPLE**2


def _operations(prior: Prior, image: torch.Tensor) -> int:
    with torch.no_grad():
        prior.predict_noise(image, 1)  # a first time, which prepares weights
        with FlopCounterMode(display=False) as counter:
            prior.predict_noise(image, 1)
    return counter.get_total_flops()


def _trainable(prior: Prior) -> Prior:
    """A copy whose network is all torch's, as that of one in training is."""
    network: Any = copy.deepcopy(prior.denoiser)
    return replace(prior, denoiser=network.requires_grad_(True))


def _events(command: Sequence[str], folder: Path, progress: Progress) -> Iterator[tuple[dict[str, Any], str, float]]:
    """Of a process of the command: every event, with the stage before it and the processor's seconds since the last."""
    child = subprocess.Popen(
        [sys.executable, "-m", "CTSuperResolutionLib", *command],
        cwd=folder,
        env=child_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    told: queue.SimpleQueue[tuple[dict[str, Any], float] | None] = queue.SimpleQueue()
    listener = threading.Thread(target=_listen, args=(child, told), daemon=True)
    listener.start()
    stage, before = "start", 0.0
    try:
        while True:
            progress.check()
            try:
                found = told.get(timeout=POLL_S)
            except queue.Empty:
                continue
            if found is None:
                return
            event, used = found
            yield event, stage, used - before
            stage, before = event.get("stage", stage), used
    finally:
        child.kill()  # its files are in the folder, and go with that
        child.wait()
        listener.join()
        assert child.stdout is not None
        child.stdout.close()


def _listen(child: subprocess.Popen, told: queue.SimpleQueue) -> None:
    """Hand on every event of a process with the processor's seconds up to it, and None at its end."""
    process = psutil.Process(child.pid)
    assert child.stdout is not None
    for line in child.stdout:
        times = process.cpu_times()
        told.put((json.loads(line), times.user + times.system))
    told.put(None)
