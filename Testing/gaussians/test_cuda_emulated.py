"""The text of the CUDA kernels and their launches, run on the CPU: what a GPU computes, where there is none.

The emulator knows nothing of time, memory models or a GPU's arithmetic. It does know of every barrier and exchange: a
thread that misses one is an error, and its threads and blocks run in any order that a test asks for.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cuda_emulator.emulator import Emulator, build, why_not

from CTSuperResolutionLib.gaussians.backends import launches, reference
from CTSuperResolutionLib.gaussians.scene import VoxelGrid
from CTSuperResolutionLib.projection.geometry import ScanGeometry

VALUES, GRADIENTS = 1e-5, 1e-4
# Standard deviation in pixels of 0.05, spread of its logarithm, and how far from the middle of a scene of ± 0.8.
SCENES = {
    "usual": (1.0, 0.3, 0.7),
    "needles and plates": (1.5, 1.2, 0.7),
    "smaller than a pixel": (0.3, 0.1, 0.7),
    "a few pixels": (4.0, 0.3, 0.7),
    "larger than the array": (60.0, 0.5, 0.7),
    "of every size": (3.0, 1.8, 0.9),
    "off the array": (2.0, 0.3, 3.0),
    "on one spot": (0.5, 0.2, 0.01),
}
DETECTORS = {
    "high": (61, 24),
    "wide": (9, 77),
    "a row": (1, 50),
    "a pixel": (1, 1),
    "whole tiles": (32, 40),
    "even": (12, 22),
}
VOLUMES = {
    "box": (13, 21, 34),
    "slab": (2, 33, 28),
    "column": (40, 3, 5),
    "a voxel": (1, 1, 1),
    "whole tiles": (8, 12, 16),
}


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    return build(tmp_path_factory.mktemp("emulator"))


@pytest.fixture(autouse=True)
def poisoned_memory() -> Iterator[None]:
    """New tensors are full of NaN, so that what was never written shows."""
    torch.use_deterministic_algorithms(True)
    assert torch.empty(1).isnan().all()
    yield
    torch.use_deterministic_algorithms(False)


def make_gaussians(scene: str, count: int, seed: int = 0) -> list[torch.Tensor]:
    size, spread, reach = SCENES[scene]
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    means = (torch.rand(count, 3, generator=generator) * 2 - 1) * reach
    return [means, math.log(0.05 * size) + spread * normal(count, 3), normal(count, 4), normal(count)]


def make_view(shape: tuple[int, int], *, cone: bool) -> ScanGeometry:
    pitch = (1.6 / max(shape[0], 30), 1.6 / max(shape[1], 30))
    return ScanGeometry((0.7,), shape, pitch, *((3.0, 5.0) if cone else ()))


def make_grid(shape: tuple[int, int, int]) -> VoxelGrid:
    return VoxelGrid(shape, (0.06, 0.05, 0.045), tuple(-0.5 * n * 0.05 for n in shape))


def check(emulator: Emulator, gaussians: list[torch.Tensor], render) -> None:
    """render(backend, gaussians) on the emulator equals the reference in float64, and so do the gradients."""
    ours = [g.clone().requires_grad_() for g in gaussians]
    theirs = [g.double().requires_grad_() for g in gaussians]
    found, expected = render(emulator, ours), render(reference, theirs)
    emulator.check()
    largest = max(expected.abs().max().item(), 1e-20)
    assert found.dtype == torch.float32 and found.shape == expected.shape
    assert (found - expected).abs().max() <= VALUES * largest
    weights = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1))
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    for name, a, b in zip(("means", "log-scales", "quaternions", "densities"), ours, theirs, strict=True):
        exact = torch.zeros_like(b) if b.grad is None else b.grad
        if exact.numel():
            assert (a.grad - exact).abs().max() <= GRADIENTS * max(exact.abs().max().item(), 1e-20), name


@pytest.mark.parametrize("cone", [False, True], ids=["parallel", "cone"])
@pytest.mark.parametrize("scene", SCENES)
def test_rasterize_equals_the_reference(library, scene, cone):
    geometry = make_view((45, 61), cone=cone)
    check(Emulator(library), make_gaussians(scene, 250), lambda kernels, g: kernels.rasterize(*g, geometry, 0))


@pytest.mark.parametrize("scene", SCENES)
def test_voxelize_equals_the_reference(library, scene):
    grid = make_grid((13, 21, 34))
    check(Emulator(library), make_gaussians(scene, 150), lambda kernels, g: kernels.voxelize(*g, grid))


@pytest.mark.parametrize("shape", DETECTORS.values(), ids=DETECTORS)
@pytest.mark.parametrize("count", [0, 1, 60])
def test_detectors_of_any_shape(library, shape, count):
    geometry, gaussians = make_view(shape, cone=False), make_gaussians("of every size", count)
    check(Emulator(library), gaussians, lambda kernels, g: kernels.rasterize(*g, geometry, 0))


@pytest.mark.parametrize("shape", VOLUMES.values(), ids=VOLUMES)
@pytest.mark.parametrize("count", [0, 1, 60])
def test_volumes_of_any_shape(library, shape, count):
    grid = make_grid(shape)
    check(Emulator(library), make_gaussians("of every size", count), lambda kernels, g: kernels.voxelize(*g, grid))


def test_a_box_far_inside_a_large_volume(library):
    """Places there are known to a float only to 1e-4 voxels; only few of the Gaussians touch the box."""
    grid = VoxelGrid((1024,) * 3, (0.002,) * 3, (-1.023,) * 3).crop((900, 700, 990), (20, 30, 34))
    means, log_scales, quats, densities = make_gaussians("usual", 300, 3)
    means = torch.tensor([0.98, 0.4, 0.8]) + 0.1 * means
    gaussians = [means, log_scales - 3, quats, densities]
    check(Emulator(library), gaussians, lambda kernels, g: kernels.voxelize(*g, grid))


def test_a_sub_box_equals_the_crop(library):
    emulator, gaussians, grid = Emulator(library), make_gaussians("of every size", 100), make_grid((22, 27, 33))
    whole, box = emulator.voxelize(*gaussians, grid), emulator.voxelize(*gaussians, grid.crop((3, 11, 8), (17, 5, 19)))
    torch.testing.assert_close(box, whole[3:20, 11:16, 8:27], rtol=0, atol=1e-5)


def results(emulator: Emulator, scene: str) -> list[torch.Tensor]:
    """All that is computed of a scene: image, volume, loss, gradients."""
    gaussians = [g.requires_grad_() for g in make_gaussians(scene, 120)]
    image = emulator.rasterize(*gaussians, make_view((70, 75), cone=True), 0)
    volume = emulator.voxelize(*gaussians, make_grid((9, 20, 37)))
    values = image.detach()
    loss, gradient = emulator.view_loss(values, values.flip(0), values.max().item(), absolute=1.0, dissimilarity=0.5)
    torch.autograd.backward([image, volume], [gradient, volume.detach()])
    return [values, volume.detach(), loss, gradient, *(g.grad for g in gaussians)]


@pytest.mark.parametrize("schedule", [1, 2, 3])
@pytest.mark.parametrize("scene", ["usual", "of every size"])
def test_which_thread_is_first_changes_no_bit(library, scene, schedule):
    expected, found = results(Emulator(library), scene), results(Emulator(library, schedule), scene)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("processors", [1, 200])
def test_devices_of_any_size_agree(library, processors):
    """How many blocks there are, and whether 1, 2 or 4 warps share a tile, changes no more than the last bits."""
    scene = "of every size"
    for a, b in zip(results(Emulator(library, 0, processors), scene), results(Emulator(library), scene), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=GRADIENTS * b.abs().max().item())


def test_more_bins_than_16_bits_number(library, monkeypatch):
    scene = "of every size"
    expected = results(Emulator(library), scene)
    assert launches.has_wide_keys((2048, 2048)) and not launches.has_wide_keys((1024, 1024))
    monkeypatch.setattr(launches, "has_wide_keys", lambda shape: True)
    assert all(torch.equal(a, b) for a, b in zip(results(Emulator(library), scene), expected, strict=True))


@pytest.mark.parametrize("which", range(4))
@pytest.mark.parametrize("value", [math.nan, math.inf, -1e31])
def test_unsound_input_raises_and_the_next_call_works(library, which, value):
    emulator, gaussians = Emulator(library), make_gaussians("usual", 40)
    good = [g.clone() for g in gaussians]
    gaussians[which].view(-1)[5] = value
    grid = make_grid((5, 6, 7))
    for _ in range(2):
        emulator.voxelize(*gaussians, grid)
        with pytest.raises(ValueError, match="not finite or far too large"):
            emulator.voxelize(*good, grid)
    assert emulator.voxelize(*good, grid).isfinite().all()


def test_an_array_longer_than_places_can_number(library):
    with pytest.raises(ValueError, match="at most 65536 samples"):
        Emulator(library).rasterize(*make_gaussians("usual", 3), make_view((1, 70_000), cone=False), 0)


@pytest.mark.parametrize("dissimilarity", [0.0, 0.5])
@pytest.mark.parametrize("shape", [(1, 1), (3, 70), (40, 31), (16, 48)])
def test_view_loss_equals_the_reference(library, shape, dissimilarity):
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(shape, generator=generator)
    y = x + 0.2 * torch.rand(shape, generator=generator)
    weights = {"absolute": 2.0, "dissimilarity": dissimilarity}
    loss, gradient = Emulator(library).view_loss(x, y, 1.3, **weights)
    expected, expected_gradient = reference.view_loss(x.double(), y.double(), 1.3, **weights)
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)
    assert (gradient - expected_gradient).abs().max() <= GRADIENTS * expected_gradient.abs().max()
