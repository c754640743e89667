"""FDK, SART and ASD-POCS against closed forms, torch's own derivatives and what each is for."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.projection.geometry import ScanGeometry
from CTSuperResolutionLib.reconstruction.attenuation import relative_to_water
from CTSuperResolutionLib.reconstruction.fdk import angular_weights, filtered_backprojection
from CTSuperResolutionLib.reconstruction.iterative import asd_pocs, sart, total_variation_gradient
from CTSuperResolutionLib.reconstruction.simulated_scan import SimulatedScan
from CTSuperResolutionLib.reconstruction.simulation import simulate


def error(found: torch.Tensor, truth) -> float:
    """Root mean square, relative to water, in the middle slices, which a cone beam sees whole."""
    expected = torch.from_numpy(relative_to_water(truth.array))
    return float((found - expected)[6:-6].square().mean().sqrt())


@pytest.mark.parametrize("beam", ["cone", "parallel"])
def test_filtered_backprojection_of_many_views_is_the_object(beam, head):
    scan = simulate(head, SimulatedScan(views=120, beam=beam, photons=0))
    found = filtered_backprojection(scan.water_mm(), scan.geometry, scan.place.grid)
    relative = relative_to_water(head.array)
    # Deep inside each part, where an edge one voxel wide does not ring: water, bone, and a hole.
    for low, high in ((0.99, 1.01), (1.59, 1.61), (0.19, 0.21)):
        inside = torch.from_numpy((relative >= low) & (relative <= high))
        inside[:6], inside[-6:] = False, False
        assert float(found[inside].median()) == pytest.approx((low + high) / 2, abs=0.025)
    mirrored = found.flip(2)
    assert error(found, head) < 0.06 < 0.15 < error(mirrored, head)


@pytest.mark.parametrize(
    ("degrees", "cone", "expected"),
    [
        (range(0, 360, 10), True, math.pi / 36),  # opposite rays are one: half of what a view spans
        (range(0, 180, 10), False, math.pi / 18),
        (range(0, 360, 10), False, math.pi / 36),  # every ray twice
        (range(0, 90, 10), False, math.pi / 18),  # a short arc stands for itself alone
    ],
)
def test_every_view_stands_for_its_arc(degrees, cone, expected):
    distances = (500.0, 800.0) if cone else (None, None)
    angles = tuple(math.radians(d) for d in degrees)
    assert angular_weights(ScanGeometry(angles, (4, 4), (1.0, 1.0), *distances)) == pytest.approx(
        [expected] * len(angles)
    )


def test_views_that_lie_close_together_share_their_arc():
    angles = tuple(math.radians(d) for d in (0, 10, 11, *range(12, 180, 10)))
    weights = angular_weights(ScanGeometry(angles, (4, 4), (1.0, 1.0)))
    assert weights[2] == pytest.approx(math.radians(1)) and weights[1] == pytest.approx(math.radians(5.5))
    assert sum(weights) == pytest.approx(math.pi)


def test_sart_comes_to_the_object_and_stays_positive(scans, head):
    scan = scans["parallel"]
    first, later = (sart(scan.water_mm(), scan.projector, sweeps=sweeps, progress=Progress()) for sweeps in (2, 12))
    fdk = filtered_backprojection(scan.water_mm(), scan.geometry, scan.place.grid)
    assert float(later.min()) >= 0
    assert error(later, head) < 0.7 * error(first, head) and error(later, head) < 0.7 * error(fdk, head)


def test_the_gradient_of_total_variation_is_autograd_s():
    volume = torch.rand((5, 6, 7), dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    steps = [torch.zeros_like(volume) for _ in range(3)]
    steps = [torch.cat([volume.diff(dim=axis), torch.zeros_like(volume.narrow(axis, 0, 1))], axis) for axis in range(3)]
    total = (torch.stack(steps).square().sum(0) + 1e-8).sqrt().sum()
    (expected,) = torch.autograd.grad(total, volume)
    assert torch.allclose(total_variation_gradient(volume.detach()), expected, atol=1e-9)


def test_total_variation_helps_where_views_are_few(head):
    scan = simulate(head, SimulatedScan(views=8, beam="parallel", photons=0))
    plain = sart(scan.water_mm(), scan.projector, sweeps=30, progress=Progress())
    smooth = asd_pocs(scan.water_mm(), scan.projector, rounds=30, tolerance=0.0, progress=Progress())
    assert error(smooth, head) < 0.8 * error(plain, head)


@pytest.mark.slow  # for loading itk
def test_fdk_is_rtk_s(scans, head):
    """On the same full turn; RTK's ramp is the same, its interpolation along z and at the rim differs a little."""
    itk = pytest.importorskip("itk")
    if not hasattr(itk, "RTK"):
        pytest.skip("itk is installed without itk-rtk, of the test extra")
    from itk import RTK as rtk

    scan = scans["cone"]
    rays = scan.geometry
    circle = rtk.ThreeDCircularProjectionGeometry.New()
    for angle in rays.angles:
        circle.AddProjection(*rays.cone_distances, math.degrees(angle))
    kind = itk.Image[itk.F, 3]

    def image(array, spacing):
        made = itk.image_from_array(np.ascontiguousarray(array, dtype=np.float32))
        made.SetSpacing([float(s) for s in spacing[::-1]])
        made.SetOrigin([-(n - 1) / 2 * s for n, s in zip(array.shape[::-1], spacing[::-1], strict=True)])
        return made

    (dv, du), (sz, sy, sx) = rays.detector_spacing, head.spacing
    filtered = rtk.FDKConeBeamReconstructionFilter[kind].New()
    nz, ny, nx = head.shape
    filtered.SetInput(0, image(np.zeros((ny, nz, nx)), (sy, sz, sx)))
    filtered.SetInput(1, image(scan.integrals / scan.water_per_mm, (1.0, dv, du)))
    filtered.SetGeometry(circle)
    filtered.Update()
    expected = itk.array_from_image(filtered.GetOutput())[::-1].transpose(1, 0, 2)
    found = filtered_backprojection(scan.water_mm(), rays, scan.place.grid).numpy()
    inner = (slice(3, -3), slice(8, -8), slice(8, -8))
    difference = np.sqrt(np.mean((found - expected)[inner] ** 2) / np.mean(expected[inner] ** 2))
    assert difference < 0.02
