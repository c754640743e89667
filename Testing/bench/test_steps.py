"""Steps of the fit, watched while the fit takes them."""

from __future__ import annotations

import pytest
import torch

from CTSuperResolutionLib.bench import steps
from CTSuperResolutionLib.bench.cases import BenchmarkCase
from CTSuperResolutionLib.bench.runners import find_backend, make_runner
from CTSuperResolutionLib.bench.steps import FitStepRunner, _Laps, fit_settings

CPU = torch.device("cpu")


class Clock:
    """A stopwatch that the test winds: every mark is so many milliseconds after the last."""

    def __init__(self, *laps):
        self._laps = laps

    def start(self):
        self.marks = 0

    def mark(self):
        self.marks += 1

    def laps(self):
        return self._laps[: self.marks]


def test_a_step_is_split_at_its_last_call_of_the_kernels():
    laps = _Laps(Clock(1, 2, 30, 100, 200, 3000, 1, 2, 30))
    render = laps.after(lambda: "rendered")
    for _ in range(4):  # of the first step only the end counts
        assert render() == render() == "rendered"
        laps.advance()
    assert laps.forward_and_backward() == (3, 30)  # medians of (3, 300, 3) and (30, 3000, 30)


def test_steps_are_those_of_the_fit_and_move_the_field():
    runner = make_runner(BenchmarkCase("step", "cone", 80, 24), find_backend("torch", CPU), CPU)
    assert isinstance(runner, FitStepRunner)
    before = {name: tensor.detach().clone() for name, tensor in runner._field.parameters.items()}
    forward, backward = runner.run()
    assert forward > 0 and backward > 0
    assert all(not torch.equal(before[name], tensor) for name, tensor in runner._field.parameters.items())
    assert len(runner._field) == 80  # neither cloned nor pruned


def test_settings_are_the_preset_s_unless_said_otherwise():
    settings = fit_settings(limit=7, iterations=3, preset="balanced")
    assert (settings.limit, settings.iterations, settings.seed) == (7, 3, 0)
    assert settings.lambda_tv == pytest.approx(0.05) and settings.densify_every == 100
    assert set(steps.STEPS) == {"cpu", "cuda"} and min(steps.STEPS.values()) > 2
