"""Peak memory of one call beside its input, measured in a process of its own, where nothing is left from other calls.

On a CPU it is how far the resident memory rises above what it was before, result and gradients included, as the
system counts it (Linux: to about 0.3 MB); on a GPU how far torch's own count does.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

import torch

from CTSuperResolutionLib.bench.cases import BenchmarkCase
from CTSuperResolutionLib.bench.runners import device_of, find_backend, make_runner
from CTSuperResolutionLib.job.process import child_environment

WARM_UP = {"gaussians": 64, "size": 32}  # loads what is loaded at a first call
FORKS = sys.platform == "linux"  # where a process can be doubled, torch is loaded once and not for every call


class MemoryProbe:
    """Measures in child processes; as a context manager, so that they end."""

    def __init__(self) -> None:
        self._child: subprocess.Popen | None = None

    def __enter__(self) -> MemoryProbe:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end()

    def peak_mb(self, case: BenchmarkCase, backend: str, device: torch.device) -> float | None:
        """Megabytes (1e6 bytes) that one forward and backward takes; None where it did not come to its end."""
        child = self._child = self._child or _start()
        assert child.stdin is not None and child.stdout is not None, "both are pipes"
        try:
            job = {"case": asdict(case), "backend": backend, "device": str(device)}
            child.stdin.write(json.dumps(job) + "\n")
            child.stdin.flush()
            answer = json.loads(child.stdout.readline() or "null")
        except (OSError, ValueError):
            answer = None
        if not FORKS or answer is None:
            self._end()
        return None if answer is None else answer / 1e6

    def _end(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None


def _start() -> subprocess.Popen:
    # The C library keeps small freed blocks for later; from this size on it is to give them back, so that what is
    # resident is what is in use.
    environment = {**child_environment(), "MALLOC_MMAP_THRESHOLD_": "65536"}
    pipe = subprocess.PIPE
    # Standard error is the parent's: a traceback there says why nothing was measured.
    return subprocess.Popen([sys.executable, "-m", __name__], env=environment, stdin=pipe, stdout=pipe, text=True)


def _serve() -> None:
    """In the child: a job a line, the answer a line."""
    for line in sys.stdin:
        if FORKS:
            if json.loads(line)["case"]["op"] == "step":
                _load_the_fit()
            child = os.fork()
            if child == 0:
                _answer(line)
                os._exit(0)  # what the parent has to tidy up is not ours
            if os.waitpid(child, 0)[1] != 0:
                print("null", flush=True)
        else:
            _answer(line)


def _load_the_fit() -> None:
    """The modules of steps beyond those of the kernels, the second for torch's optimizers: once, not in every child."""
    with contextlib.suppress(ImportError):
        for name in ("CTSuperResolutionLib.bench.steps", "torch._dynamo"):
            importlib.import_module(name)


def _answer(line: str) -> None:
    job = json.loads(line)
    try:
        answer = _measure(BenchmarkCase(**job["case"]), job["backend"], torch.device(job["device"]))
    except (ImportError, MemoryError, RuntimeError):  # torch says RuntimeError when a CPU's memory is not enough
        answer = None
    print(json.dumps(answer), flush=True)


def _measure(case: BenchmarkCase, name: str, device: torch.device) -> int:
    """Bytes, in this process."""
    backend = find_backend(name, device)
    device = device_of(name, device)
    make_runner(BenchmarkCase(case.op, case.beam, **WARM_UP), backend, device).run()
    runner = make_runner(case, backend, device)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        runner.run()
        return torch.cuda.max_memory_allocated(device) - before
    before = _resident()
    runner.run()
    return max(_peak() - before, 0)


def _resident() -> int:
    if sys.platform == "linux":
        return _status("VmRSS")
    import psutil

    return psutil.Process().memory_info().rss


def _peak() -> int:
    if sys.platform == "linux":
        return _status("VmHWM")
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {name}")


if __name__ == "__main__":
    _serve()
