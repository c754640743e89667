"""Adam on one tensor, against torch's own."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from CTSuperResolutionLib.gaussians.adam import BETAS, EPS, Adam


def test_steps_are_those_of_torch():
    generator = torch.Generator().manual_seed(0)
    ours, theirs = (torch.nn.Parameter(torch.randn(7, 3, generator=generator)) for _ in range(2))
    theirs.data.copy_(ours.data)
    adam, reference = Adam(ours), torch.optim.Adam([theirs], betas=BETAS, eps=EPS, fused=True)
    for rate in (1e-1, 1e-2, 1e-3):
        ours.grad = torch.randn(7, 3, generator=generator)
        theirs.grad = ours.grad.clone()
        reference.param_groups[0]["lr"] = rate
        adam.step(rate)
        reference.step()
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_a_step_takes_the_gradient_away_and_one_without_does_nothing():
    parameter = torch.nn.Parameter(torch.ones(3))
    adam = Adam(parameter)
    adam.step(1.0)
    assert torch.equal(parameter, torch.ones(3)) and not adam.state
    parameter.grad = torch.ones(3)
    adam.step(1.0)
    after = parameter.detach().clone()
    assert parameter.grad is None and float(after[0]) == pytest.approx(0.0, abs=1e-6)
    adam.step(1.0)
    assert torch.equal(parameter, after)


def test_a_fit_does_not_import_torch_compiler_or_symbolic_algebra(tmp_path):
    code = """
import sys
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.phantom import thorax
from CTSuperResolutionLib.pipeline import super_resolve
method = Method("2", "preview", {"iterations": 4, "densify_every": 1})
super_resolve(thorax(shape=(8, 16, 16), spacing=8.0), method)
print(*sorted({"sympy", "torch._dynamo"} & set(sys.modules)))
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert found.stdout.split() == []
