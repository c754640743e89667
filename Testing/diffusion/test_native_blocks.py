"""Residual blocks of the CPU library: torch's in double precision are what they have to give."""

import copy
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cpu_library import library_or_skip

from CTSuperResolutionLib.diffusion.networks import native_blocks, residual_denoiser
from CTSuperResolutionLib.diffusion.networks.native_blocks import NativeBlocks, can_be_native
from CTSuperResolutionLib.diffusion.networks.residual_denoiser import ResidualDenoiser
from CTSuperResolutionLib.diffusion.prior import Prior
from CTSuperResolutionLib.job.priors import find_prior
from CTSuperResolutionLib.kernels.cpu_library import LibraryError, instruction_set

TOLD = torch.tensor([[4.0, 4, 1, 4, 4, 1, 0.002]])


@pytest.fixture(scope="module", autouse=True)
def library():
    library_or_skip()
    if instruction_set() == "baseline":
        pytest.skip("this processor has no AVX2: blocks are torch's")


def network(blocks: int = 2, seed: int = 0, channels: int = 48) -> ResidualDenoiser:
    """With weights as large as trained ones, and scales and shifts that do something."""
    torch.manual_seed(seed)
    made = ResidualDenoiser(channels=channels, blocks=blocks, neighbours=2, acquisition=True)
    with torch.no_grad():
        for values in made.parameters():
            values += 0.05 * torch.randn_like(values)
    return made.eval().requires_grad_(False)


def after_torch(made: ResidualDenoiser, features: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
    exact = copy.deepcopy(made.body).double()
    features, condition = features.double(), condition.double()
    for block in exact:
        features = block(features, condition)
    return features


@given(images=st.integers(1, 3), rows=st.integers(1, 21), columns=st.integers(1, 21), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_any_size_gives_what_torch_gives(images, rows, columns, seed):
    made = network(seed=seed)
    features = torch.randn(images, 48, rows, columns, generator=torch.Generator().manual_seed(seed))
    condition = torch.randn(images, 96)
    expected, given_features = after_torch(made, features, condition), features.clone()
    for layout in (torch.contiguous_format, torch.channels_last):
        found = NativeBlocks.of(list(made.body))(features.contiguous(memory_format=layout), condition)
        assert found.shape == features.shape and found.dtype == torch.float32
        torch.testing.assert_close(found.double(), expected, rtol=0, atol=2e-5 * float(expected.abs().max()))
    assert torch.equal(features, given_features)


def test_a_large_image_does_not_depend_on_the_number_of_threads(monkeypatch):
    made, features, condition = network(), torch.randn(2, 48, 70, 131), torch.randn(2, 96)
    blocks, found = NativeBlocks.of(list(made.body)), []
    for threads in (1, 2, 5):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        found.append(blocks(features, condition))
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])
    expected = after_torch(made, features, condition)
    torch.testing.assert_close(found[0].double(), expected, rtol=0, atol=2e-5 * float(expected.abs().max()))


def test_the_shipped_networks_use_them_and_differ_by_less_than_a_hundredth_of_a_hu(monkeypatch):
    shipped = find_prior("shipped")
    for place in (shipped, shipped / "quick"):
        prior = Prior.load(place)
        images = 0.3 * torch.randn(2, 1, 62, 50, generator=torch.Generator().manual_seed(1)) - 0.2
        neighbours = 0.02 * torch.randn(2, 4, 62, 50, generator=torch.Generator().manual_seed(2))
        restored = []
        for native in (True, False):
            monkeypatch.setattr(
                residual_denoiser, "can_be_native", can_be_native if native else lambda blocks, features: False
            )
            noise = prior.denoiser.predict_noise(images, 0, TOLD.expand(2, -1), neighbours)
            restored.append(prior.schedule.predict_x0(images, noise, 0))
        native, plain = restored
        assert prior.denoiser._native is not None
        assert not torch.equal(native, plain)  # or they were not used
        assert float((native - plain).abs().max()) * 4095 / 2 < 0.01


def test_weights_that_change_are_taken_anew():
    made = network()
    images = torch.randn(1, 1, 24, 24)
    before = made.predict_noise(images, 0, TOLD)
    with torch.no_grad():
        made.body[1].second.weight *= 1.5
    after = made.predict_noise(images, 0, TOLD)
    assert float((after - before).abs().max()) > 1e-3
    assert torch.equal(after, copy.deepcopy(made).predict_noise(images, 0, TOLD))
    made.load_state_dict(network(seed=1).state_dict())
    assert torch.equal(made.predict_noise(images, 0, TOLD), network(seed=1).predict_noise(images, 0, TOLD))


def test_what_is_trained_or_of_another_kind_stays_torchs():
    features = torch.randn(1, 48, 8, 8)
    made = network()
    assert can_be_native(made.body, features)
    assert not can_be_native(made.body, features.double())
    assert not can_be_native(made.body, torch.randn(1, 24, 8, 8))
    with torch.autocast("cpu", torch.bfloat16):
        assert not can_be_native(made.body, features)
    made.body[0].film.bias.requires_grad_(True)
    assert not can_be_native(made.body, features)
    made.predict_noise(torch.randn(1, 1, 8, 8), 0, TOLD).sum().backward()
    assert made.body[0].film.bias.grad.abs().sum() > 0


def test_without_a_library_blocks_are_torchs(monkeypatch):
    def missing():
        raise LibraryError("not built")

    made, images = network(), torch.randn(1, 1, 24, 24)
    native = made.predict_noise(images, 0, TOLD)
    monkeypatch.setattr(native_blocks, "load_library", missing)
    native_blocks._is_built.cache_clear()
    try:
        plain = made.predict_noise(images, 0, TOLD)
    finally:
        native_blocks._is_built.cache_clear()
    assert not torch.equal(native, plain)
    torch.testing.assert_close(native, plain, rtol=0, atol=2e-5 * float(plain.abs().max()))
