"""Convolutions with what follows them against the single steps; where torch has no such operators, those steps."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from CTSuperResolutionLib.diffusion.networks import fused_convolution as module
from CTSuperResolutionLib.diffusion.networks.fused_convolution import convolve_onto, convolve_relu


@pytest.fixture(autouse=True)
def tried_again():
    module._onednn_fuses.cache_clear()
    yield
    module._onednn_fuses.cache_clear()


def numbers(*shape: int, seed: int, dtype=torch.float32) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def missing(*_):
    raise AttributeError("'_OpNamespace' 'mkldnn' object has no attribute '_convolution_pointwise'")


def wrong(features, weight, bias):
    return F.conv2d(features, weight, bias, padding=1)


@pytest.mark.parametrize("relu_of", [None, missing, wrong], ids=["as it is", "missing", "wrong"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize("shape", [(1, 16, 17, 23), (3, 48, 8, 8), (2, 4, 1, 5)], ids=str)
@torch.no_grad()
def test_it_is_what_the_steps_give(monkeypatch, relu_of, dtype, layout, shape):
    if relu_of is not None:
        monkeypatch.setattr(module, "_relu_of", relu_of)
    channels = shape[1]
    features, to = (numbers(*shape, seed=seed, dtype=dtype).contiguous(memory_format=layout) for seed in (0, 1))
    weight, bias = numbers(channels, channels, 3, 3, seed=2, dtype=dtype), numbers(channels, seed=3, dtype=dtype)
    single = F.conv2d(features.double(), weight.double(), bias.double(), padding=1)
    tolerance = {"rtol": 0, "atol": 1e-5 * float(single.abs().max())}
    torch.testing.assert_close(convolve_relu(features, weight, bias).double(), single.relu(), **tolerance)
    expected, place = to.double() + single, to.data_ptr()
    found = convolve_onto(to, features, weight, bias)
    torch.testing.assert_close(found.double(), expected, **tolerance)
    assert found.data_ptr() == place == to.data_ptr()
    if relu_of is not None:
        assert not module._onednn_fuses()


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="torch was built without oneDNN")
def test_a_torch_with_onednn_fuses():
    assert module._onednn_fuses()
