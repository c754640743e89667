"""The fast backends against the reference implementation in float64, over any scene, and their other promises.

Values to 1e-5 of the largest, on the array or at the centre of a Gaussian; gradients to 1e-4 of the largest. Both
arrays come from the same float32 inputs.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from CTSuperResolutionLib.gaussians.backends import reference
from CTSuperResolutionLib.gaussians.projection import project_gaussians
from CTSuperResolutionLib.gaussians.scene import VoxelGrid
from CTSuperResolutionLib.projection.geometry import ScanGeometry

VALUES, GRADIENTS = 1e-5, 1e-4


@dataclass(frozen=True)
class Kind:
    """How the Gaussians of a scene are made; sizes in pixels of 0.05."""

    size: float
    spread: float  # of the log-scales: 1 makes needles and plates
    reach: float  # means lie within ± this: the detectors below span about ± 0.8
    density: str  # signed, zero or one of them only


KINDS = {
    "usual": Kind(1.0, 0.3, 0.7, "signed"),
    "needles and plates": Kind(1.5, 1.2, 0.7, "signed"),
    "smaller than a pixel": Kind(0.3, 0.1, 0.7, "signed"),
    "larger than the detector": Kind(40.0, 0.5, 0.7, "signed"),
    "off the detector": Kind(2.0, 0.3, 1.5, "signed"),
    "some of no density": Kind(1.0, 0.3, 0.7, "zero"),
}

scenes = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(sorted(KINDS)),
        "count": st.sampled_from([0, 1, 2, 17, 300]),
        "seed": st.integers(0, 10_000),
        "angle": st.floats(-7, 7),
        "cone": st.booleans(),
        "shape": st.tuples(st.integers(1, 45), st.integers(1, 61)),
        "depth": st.integers(1, 19),
    }
)


def make_gaussians(kind: Kind, count: int, seed: int) -> list[torch.Tensor]:
    """Means, log-scales, quaternions and densities of a random scene, float32."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    means = (torch.rand(count, 3, generator=generator) * 2 - 1) * kind.reach
    densities = normal(count)
    if kind.density == "zero":
        densities[::2] = 0
    log_scales = math.log(0.05 * kind.size) + kind.spread * normal(count, 3)
    return [means, log_scales, normal(count, 4) * normal(count, 1).exp(), densities]


def make_view(angle: float, cone: bool, shape: tuple[int, int]) -> ScanGeometry:
    pitch = (1.6 / max(shape[0], 8), 1.6 / max(shape[1], 8))
    return ScanGeometry((angle,), shape, pitch, *((3.0, 5.0) if cone else ()))


def make_grid(shape: tuple[int, int, int]) -> VoxelGrid:
    return VoxelGrid(shape, (0.06, 0.05, 0.045), (-0.5, -0.6, -0.7))


def check(fast, gaussians, render, geometry: ScanGeometry | None = None) -> None:
    """render(kernels, gaussians) by the backend equals the reference, gradients too; a geometry is the detector's."""
    backend, device = fast
    ours = [g.clone().to(device).requires_grad_() for g in gaussians]
    theirs = [g.double().requires_grad_() for g in gaussians]
    found, expected = render(backend, ours), render(reference, theirs)
    assert found.dtype == torch.float32 and found.shape == expected.shape
    ones = [*(g.double() for g in gaussians[:3]), torch.ones(len(gaussians[0]), dtype=torch.float64)]
    heights = ones[3] if geometry is None else project_gaussians(*ones, geometry, 0).heights
    largest = torch.cat([expected.detach().flatten(), heights * gaussians[3], torch.full((1,), 1e-20)]).abs().max()
    assert (found.detach().cpu() - expected.detach()).abs().max() <= VALUES * largest
    weights = torch.randn(expected.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    (found * weights.float().to(device)).sum().backward()
    (expected * weights.float()).sum().backward()
    for name, a, b in zip(("means", "log-scales", "quaternions", "densities"), ours, theirs, strict=True):
        if a.numel():
            exact = torch.zeros_like(b) if b.grad is None else b.grad
            largest = torch.cat([exact.flatten(), heights if name == "densities" else ones[3] * 1e-20]).abs().max()
            assert (a.grad.cpu() - exact).abs().max() <= GRADIENTS * largest, name


# The same scenes every time: at the rim of a support the slope has a kink of FLOOR, and in one scene of a thousand a
# pixel lies so near to it that rounding decides on which side it counts.
@given(scene=scenes)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_rasterize_any_scene(fast, scene):
    gaussians = make_gaussians(KINDS[scene["kind"]], scene["count"], scene["seed"])
    geometry = make_view(scene["angle"], scene["cone"], scene["shape"])
    check(fast, gaussians, lambda kernels, g: kernels.rasterize(*g, geometry, 0), geometry)


@given(scene=scenes)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_voxelize_any_scene(fast, scene):
    gaussians = make_gaussians(KINDS[scene["kind"]], scene["count"], scene["seed"])
    nv, nu = scene["shape"]
    grid = make_grid((scene["depth"], min(nv, 30), min(nu, 30)))
    check(fast, gaussians, lambda kernels, g: kernels.voxelize(*g, grid))


def test_large_arrays_keep_their_precision(fast):
    """A detector of 1024 and a volume whose far corner a float only knows to 1e-4 voxels."""
    gaussians = make_gaussians(Kind(0.1, 0.3, 0.9, "signed"), 400, 3)
    geometry = ScanGeometry((0.7,), (1024, 1024), (0.002, 0.002))
    check(fast, gaussians, lambda kernels, g: kernels.rasterize(*g, geometry, 0), geometry)
    grid = VoxelGrid((1024, 1024, 1024), (0.002, 0.002, 0.002), (-1.023, -1.023, -1.023)).crop(
        (900, 700, 990), (40, 60, 34)
    )
    check(fast, gaussians, lambda kernels, g: kernels.voxelize(*g, grid))


def test_any_turn_of_any_length(fast):
    """Quaternions need no length of one, and one of zero is no rotation."""
    means, scales, quats, densities = make_gaussians(KINDS["needles and plates"], 6, 1)
    quats[0] = 0
    quats[1] *= 1e-8
    quats[2] *= 1e5
    geometry = make_view(0.4, False, (33, 47))
    backend, device = fast
    found = backend.rasterize(*(g.to(device) for g in (means, scales, quats, densities)), geometry, 0).cpu()
    expected = reference.rasterize(means.double(), scales.double(), quats.double(), densities.double(), geometry, 0)
    assert (found - expected).abs().max() <= VALUES * expected.abs().max()


@pytest.mark.parametrize("cone", [False, True])
def test_bit_for_bit_the_same(fast, cone):
    """Twice the same inputs: the same arrays and the same gradients, every bit."""
    backend, device = fast
    geometry, grid = make_view(1.1, cone, (61, 77)), make_grid((20, 24, 22))
    results = []
    for _ in range(2):
        gaussians = [g.to(device).requires_grad_() for g in make_gaussians(KINDS["usual"], 3000, 5)]
        image, volume = backend.rasterize(*gaussians, geometry, 0), backend.voxelize(*gaussians, grid)
        (image.square().sum() + volume.square().sum()).backward()
        results.append([image, volume, *(g.grad for g in gaussians)])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_sub_boxes_equal_the_crop(fast):
    backend, device = fast
    gaussians = [g.to(device) for g in make_gaussians(KINDS["usual"], 500, 2)]
    grid = make_grid((22, 27, 33))
    whole, box = backend.voxelize(*gaussians, grid), backend.voxelize(*gaussians, grid.crop((3, 11, 8), (17, 5, 19)))
    torch.testing.assert_close(box, whole[3:20, 11:16, 8:27], rtol=0, atol=1e-5)


def test_one_sees_behind_no_source(fast):
    """Gaussians beside or behind the source of a cone beam are not on the detector."""
    means, scales, quats, densities = make_gaussians(KINDS["usual"], 40, 2)
    means[::2] *= 30
    geometry = make_view(0.3, True, (40, 41))
    check(fast, [means, scales, quats, densities], lambda kernels, g: kernels.rasterize(*g, geometry, 0), geometry)


class TestUnsoundInput:
    """What is not a number, or far from any scene, raises; it neither hangs nor returns an array."""

    bad = pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e31])
    which = pytest.mark.parametrize("which", range(4))

    @bad
    @which
    def test_raises(self, fast, which, value):
        backend, device = fast
        gaussians = make_gaussians(KINDS["usual"], 20, 0)
        gaussians[which].view(-1)[-1] = value
        gaussians = [g.to(device) for g in gaussians]
        with pytest.raises(ValueError, match="not finite or far too large"):
            backend.rasterize(*gaussians, make_view(0, False, (20, 20)), 0)
            backend.check()  # a GPU tells later, when it is asked
        with pytest.raises(ValueError, match="not finite or far too large"):
            backend.voxelize(*gaussians, make_grid((5, 5, 5)))
            backend.check()

    @bad
    @which
    def test_raises_in_the_reference(self, which, value):
        gaussians = make_gaussians(KINDS["usual"], 20, 0)
        gaussians[which].view(-1)[-1] = value
        with pytest.raises(ValueError, match="not finite or far too large"):
            reference.rasterize(*gaussians, make_view(0, False, (20, 20)), 0)
        with pytest.raises(ValueError, match="not finite or far too large"):
            reference.voxelize(*gaussians, make_grid((5, 5, 5)))

    def test_the_next_call_works(self, fast):
        backend, device = fast
        self.test_raises(fast, 0, math.nan)
        gaussians = [g.to(device) for g in make_gaussians(KINDS["usual"], 20, 0)]
        assert backend.rasterize(*gaussians, make_view(0, False, (20, 20)), 0).isfinite().all()

    def test_shapes_that_do_not_go_together(self, fast):
        backend, device = fast
        means, scales, quats, densities = (g.to(device) for g in make_gaussians(KINDS["usual"], 20, 0))
        with pytest.raises(ValueError, match="shapes"):
            backend.rasterize(means, scales[:5], quats, densities, make_view(0, False, (20, 20)), 0)
        with pytest.raises(ValueError, match="dtype"):
            backend.rasterize(means, scales.double(), quats, densities, make_view(0, False, (20, 20)), 0)


@pytest.mark.parametrize("shape", [(1, 1), (3, 70), (40, 31)])
def test_view_loss(fast, shape):
    """Loss and gradient against the reference implementation's in float64."""
    backend, device = fast
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(shape, generator=generator)
    y = x + 0.2 * torch.rand(shape, generator=generator)
    weights = {"absolute": 2.0, "dissimilarity": 0.5}
    loss, gradient = backend.view_loss(x.to(device), y.to(device), 1.3, **weights)
    expected, expected_gradient = reference.view_loss(x.double(), y.double(), 1.3, **weights)
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)
    assert (gradient.cpu() - expected_gradient).abs().max() <= GRADIENTS * expected_gradient.abs().max()


def test_threads_do_not_change_the_result():
    from CTSuperResolutionLib.gaussians.backends import native

    before, results = torch.get_num_threads(), []
    geometry, grid = make_view(0.2, False, (90, 91)), make_grid((16, 20, 20))
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            gaussians = [g.requires_grad_() for g in make_gaussians(KINDS["usual"], 2000, 9)]
            image, volume = native.rasterize(*gaussians, geometry, 0), native.voxelize(*gaussians, grid)
            (image.square().sum() + volume.square().sum()).backward()
            results.append([image, volume, *(g.grad for g in gaussians)])
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_images_that_do_not_go_together_are_refused(fast):
    backend, device = fast
    image = torch.rand(20, 20, device=device)
    for other in (torch.rand(3, 3, device=device), torch.rand(20, 20, device=device).double()):
        with pytest.raises(ValueError, match="compared"):
            backend.view_loss(image, other, 1.0, absolute=1.0, dissimilarity=0.5)


def test_a_fork_rasterizes_as_its_parent_does():
    """A fork has none of the threads that its parent's library keeps; it must not wait for them."""
    if not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    program = (
        "import os, torch; from CTSuperResolutionLib.gaussians.backends import native;"
        "from CTSuperResolutionLib.projection.geometry import ScanGeometry;"
        "torch.manual_seed(0);"
        "field = torch.rand(500, 3), torch.full((500, 3), -3.0), torch.rand(500, 4), torch.rand(500);"
        "render = lambda: native.rasterize(*field, ScanGeometry((0.3,), (80, 80), (0.02, 0.02)), 0);"
        "torch.set_num_threads(2); image = render(); child = os.fork();"
        "child or os._exit(0 if torch.equal(render(), image) else 1);"
        "raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
