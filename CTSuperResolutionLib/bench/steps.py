"""Benchmark runner of whole steps of the fit, taken by the fit itself."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import torch

from CTSuperResolutionLib.bench.cases import BenchmarkCase
from CTSuperResolutionLib.bench.scenes import VIEWS, make_field, make_geometry
from CTSuperResolutionLib.bench.timing import stopwatch
from CTSuperResolutionLib.gaussians.backends.choice import Backend
from CTSuperResolutionLib.gaussians.field import GaussianField
from CTSuperResolutionLib.gaussians.fit import FitSettings, fit
from CTSuperResolutionLib.gaussians.scene import Scene
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.parameters import Parameters
from CTSuperResolutionLib.job.timeline import Steps

STEPS = {"cpu": 5, "cuda": 30}  # in a run; the first is not counted, for it begins with what is done once a fit
NEVER = 1_000_000  # when Gaussians would be cloned and split


@dataclass
class FitStepRunner:
    """Takes steps of the fit.

    Forward is a step until both of its arrays are rendered and compared, backward what follows: gradients and
    optimizer.

    Args:
        case: step.
        backend: whose kernels the fit uses.
        device: of the field.
    """

    case: BenchmarkCase
    backend: Backend
    device: torch.device

    def __post_init__(self) -> None:
        size = self.case.size
        means, log_scales, quats, densities = (
            torch.nn.Parameter(tensor.detach()) for tensor in make_field(self.case, self.device)
        )
        self._scene = Scene.around((size,) * 3, (1.0,) * 3)
        self._geometry = make_geometry(self.case, unit=1 / self._scene.per_mm)
        self._field = GaussianField(
            parameters={"means": means, "scales": log_scales, "quats": quats, "densities": densities},
            raw_gamma=torch.nn.Parameter(torch.zeros((), device=self.device)),
            smallest=0.35 * min(self._scene.grid.spacing),
        )
        generator = torch.Generator().manual_seed(1)
        self._views = torch.rand((VIEWS, size, size), generator=generator).to(self.device)
        self._base = torch.zeros_like(self._views)
        self._watch = stopwatch(self.device, ahead=False)

    def run(self) -> tuple[float, float]:
        """Some steps; the milliseconds of a step's two parts."""
        laps = _Laps(self._watch)
        settings = fit_settings(iterations=STEPS[self.device.type], limit=self.case.gaussians, densify_every=NEVER)
        fit(
            self._field,
            self._views,
            self._base,
            self._geometry,
            self._scene,
            settings,
            kernels=_Watched(self.backend.kernels, laps),
            progress=laps,
        )
        return laps.forward_and_backward()


def fit_settings(*, limit: int, preset: str = "paper", seed: int = 0, **changes: Any) -> FitSettings:
    """A fit's settings as a preset has them, some of them changed."""
    numbers = vars(Parameters.of(preset))
    known = {entry.name: numbers[entry.name] for entry in fields(FitSettings) if entry.name in numbers}
    return FitSettings(**{**known, "limit": limit, "seed": seed, **changes})


class _Laps(Progress):
    """Marks the end of every step, and of every call of the kernels."""

    def __init__(self, watch: Any) -> None:
        self._watch = watch
        self._ends: list[str] = []

    def advance(self, steps: Steps = 1) -> None:
        if self._ends:
            self._mark("step")
        else:
            self._ends = ["step"]
            self._watch.start()

    def after(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, its end marked."""

        def marked(*arguments: Any, **options: Any) -> Any:
            result = call(*arguments, **options)
            if self._ends:
                self._mark("kernel")
            return result

        return marked

    def forward_and_backward(self) -> tuple[float, float]:
        """Milliseconds of a step up to its last call of the kernels, and from there to its end; medians."""
        steps = [[0.0, 0.0]]
        for end, milliseconds in zip(self._ends[1:], self._watch.laps(), strict=True):
            steps[-1][end == "step"] += milliseconds
            if end == "step":
                steps.append([0.0, 0.0])
        forward, backward = (statistics.median(part) for part in zip(*steps[:-1], strict=True))
        return forward, backward

    def _mark(self, end: str) -> None:
        self._ends.append(end)
        self._watch.mark()


class _Watched:
    """Kernels that tell when a call is over."""

    def __init__(self, kernels: Any, laps: _Laps) -> None:
        self._kernels, self._laps = kernels, laps

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return self._laps.after(getattr(self._kernels, name))
