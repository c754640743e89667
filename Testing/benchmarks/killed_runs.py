#!/usr/bin/env python3
"""Kills of a run in slabs, at random moments: python Testing/benchmarks/killed_runs.py [KILLS] [--seed 0]

A generated chest is run in slabs, unbroken once. Then, so many times, a run of it is killed at a random moment and
started again, which has to give the same bytes; and, a third as often, one is cancelled, which has to leave nothing.
The exit code is 1 where one did otherwise.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from CTSuperResolutionLib.degradation.simulation import degrade
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.phantom import thorax
from CTSuperResolutionLib.planning.slabs import plan_slabs
from CTSuperResolutionLib.volume.writing import write_volume

SHAPE, SPACING = (80, 24, 24), 6.0
LEAST_SLABS = 5
VOLUMES = ("sr.nrrd", "cubic.nrrd", "measured.nrrd")


def make_scan(path: Path) -> None:
    """A long chest, coarse."""
    fine = thorax(shape=tuple(2 * n for n in SHAPE), spacing=SPACING / 2)
    write_volume(degrade(fine, (2, 2, 2), noise_hu=5), path)


def budget() -> tuple[int, int]:
    """Bytes with which the scan is worked on in slabs, and how many."""
    method = Method("2", "preview", device="cpu")
    target = method.target_grid(SHAPE, (SPACING,) * 3)
    most = 1 << 40
    while (plan := plan_slabs(method.parameters, target, most)) is not None:
        if len(plan.slabs) >= LEAST_SLABS:
            return plan.memory + 1, len(plan.slabs)
        most = plan.memory - 2000
    raise SystemExit("The scan cannot be cut into so many slabs.")


def start(scan: Path, out: Path, memory: int) -> subprocess.Popen:
    """A run of the command."""
    command = [sys.executable, "-m", "CTSuperResolutionLib", "run", str(scan), str(out), "--scale", "2"]
    options = ["--preset", "preview", "--device", "cpu", "--memory", f"{memory / 1e6:.3f}MB"]
    return subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def digests(out: Path) -> dict[str, str]:
    """SHA-256 of the volumes of a result."""
    return {name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in VOLUMES}


def main() -> int:
    """Kill, start again, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kills", type=int, nargs="?", default=30, metavar="KILLS", help="how many (default 30)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default 0)")
    options = parser.parse_args()
    moments, bad = random.Random(options.seed), 0
    with tempfile.TemporaryDirectory(prefix="ctsr-killed-") as name:
        folder = Path(name)
        scan = folder / "scan.nrrd"
        make_scan(scan)
        memory, slabs = budget()
        begun = time.monotonic()
        if start(scan, folder / "whole", memory).wait() != 0:
            return 1
        seconds, wanted = time.monotonic() - begun, digests(folder / "whole")
        files = sorted(path.name for path in (folder / "whole").iterdir())
        print(f"unbroken: {slabs} slabs, {seconds:.1f} s")
        for number in range(options.kills):
            out, moment = folder / f"killed-{number}", moments.uniform(0, seconds)
            process = start(scan, out, memory)
            time.sleep(moment)
            process.kill()
            process.wait()
            kept = len(list(out.glob(".ctsr-slabs-*/slab-*")))
            ended = start(scan, out, memory).wait()
            same = ended == 0 and digests(out) == wanted and sorted(path.name for path in out.iterdir()) == files
            bad += not same
            print(
                f"killed after {moment:4.1f} s, {kept} slabs kept: {'the same' if same else 'NOT THE SAME'}", flush=True
            )
        for number in range(options.kills // 3):
            out, moment = folder / f"cancelled-{number}", moments.uniform(0, 0.8 * seconds)
            process = start(scan, out, memory)
            time.sleep(moment)
            process.send_signal(signal.SIGINT)
            process.wait()
            left = sorted(path.name for path in out.iterdir()) if out.exists() else []
            bad += bool(left)
            print(f"cancelled after {moment:4.1f} s: {left or 'nothing is left'}", flush=True)
    print(f"{bad} bad" if bad else "all as they should be")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
