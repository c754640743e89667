"""Benchmark runners: a backend on a device that does, over and over, what a case asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch

from CTSuperResolutionLib.bench.cases import BenchmarkCase
from CTSuperResolutionLib.bench.scenes import VIEW, make_field, make_geometry, make_grid
from CTSuperResolutionLib.bench.timing import stopwatch
from CTSuperResolutionLib.errors import JobError, OtherOption
from CTSuperResolutionLib.gaussians.backends import reference
from CTSuperResolutionLib.gaussians.backends.choice import Backend, choose_backend


class Runner(Protocol):
    """Work that can be timed."""

    def run(self) -> tuple[float, ...]:
        """Forward and backward once; the milliseconds of each."""


def find_backends(names: tuple[str, ...], device: torch.device) -> tuple[dict[str, Backend], list[str]]:
    """The backends of these names, and why those are missing that a device would have.

    Args:
        names: of BACKENDS. Without any, those made for the device.
        device: where torch and CUDA kernels run; the CPU library runs on the CPU.

    Raises:
        JobError: one that was named does not work here.
    """
    found, missing = {}, []
    for name in names or ("torch", "cuda" if device.type == "cuda" else "native"):
        backend = find_backend(name, device)
        if backend.name == name:
            found[name] = backend
        elif names:
            why, others = backend.why.rstrip("."), ",".join(n for n in names if n != name) or "torch"
            raise JobError(f"The backend {name} does not work here ({why})", OtherOption("backends", f"{{}} {others}"))
        else:
            missing.append(backend.why)
    return found, missing


def find_backend(name: str, device: torch.device) -> Backend:
    """The backend of that name; plain torch, with the reason why, where it does not work."""
    if name == "torch":
        return Backend("torch", "Plain torch renders the Gaussians.", reference)
    if name == "cuda" and device.type != "cuda":
        return Backend("torch", "The benchmark runs on the CPU.", reference)
    return choose_backend(device_of(name, device))


def device_of(backend: str, device: torch.device) -> torch.device:
    """Where a backend runs when the benchmark runs on a device."""
    return torch.device("cpu") if backend == "native" else device


@dataclass
class RenderRunner:
    """Rasterizes or voxelizes a case's field and takes the gradients back to it.

    Args:
        case: rasterize or voxelize.
        backend: whose kernels do it.
        device: of the field.
    """

    case: BenchmarkCase
    backend: Backend
    device: torch.device

    def __post_init__(self) -> None:
        self.field = make_field(self.case, self.device)
        render, frame = self._render(), self._frame()
        self._forward: Callable[[], torch.Tensor] = lambda: render(*self.field, *frame)
        generator = torch.Generator().manual_seed(1)
        shape = (self.case.size,) * (3 if self.case.op == "voxelize" else 2)
        self._gradient = torch.randn(shape, generator=generator).to(self.device)
        self._watch = stopwatch(self.device)

    def run(self) -> tuple[float, ...]:
        """Forward and backward once; the milliseconds of each."""
        for parameter in self.field:
            parameter.grad = None
        self._watch.start()
        rendered = self._forward()
        self._watch.mark()
        rendered.backward(self._gradient)
        self._watch.mark()
        return self._watch.laps()

    def _render(self) -> Callable[..., torch.Tensor]:
        return self.backend.kernels.voxelize if self.case.op == "voxelize" else self.backend.kernels.rasterize

    def _frame(self) -> tuple:
        return (make_grid(self.case),) if self.case.op == "voxelize" else (make_geometry(self.case), VIEW)


def make_runner(case: BenchmarkCase, backend: Backend, device: torch.device) -> Runner:
    """The runner of a case."""
    if case.op == "step":
        from CTSuperResolutionLib.bench.steps import FitStepRunner  # the fit needs more packages than the kernels

        return FitStepRunner(case, backend, device)
    return RenderRunner(case, backend, device)
