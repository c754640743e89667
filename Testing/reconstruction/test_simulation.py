"""Simulated scans against what physics says of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.reconstruction.attenuation import WATER_PER_MM
from CTSuperResolutionLib.reconstruction.simulated_scan import SimulatedScan
from CTSuperResolutionLib.reconstruction.simulation import simulate
from CTSuperResolutionLib.volume.volume import Volume


def water_ball(radius: float, side: int = 48, spacing: float = 1.0) -> Volume:
    axis = (np.arange(side) - (side - 1) / 2) * spacing
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    inside = np.clip(radius - np.sqrt(x * x + y * y + z * z) + 0.5, 0, 1)
    return Volume((1000 * (inside - 1)).astype(np.float32), (spacing,) * 3, (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))


@pytest.mark.parametrize(("beam", "turn"), [("cone", 360.0), ("parallel", 180.0)])
def test_a_ray_through_the_middle_of_a_ball_of_water_is_attenuated_by_its_diameter(beam, turn):
    scan = simulate(water_ball(18.0), SimulatedScan(views=5, beam=beam, photons=0))
    _, nv, nu = scan.integrals.shape
    middle = scan.integrals[:, nv // 2 - 1 : nv // 2 + 1, nu // 2 - 1 : nu // 2 + 1].mean(axis=(1, 2))
    assert middle == pytest.approx(36 * WATER_PER_MM, rel=0.01)
    degrees = [math.degrees(angle) for angle in scan.geometry.angles]
    assert degrees == pytest.approx([k * turn / 5 for k in range(5)])


def test_noise_has_the_variance_of_counted_photons_and_of_the_electronics():
    """By first-order propagation: var p = (N + s²) / N² at N = I0 exp(−p)."""
    photons, electronic, depth = 2000.0, 20.0, 36 * WATER_PER_MM
    plates = Volume(np.zeros((24, 24, 24), np.float32), (1.5, 1.5, 1.5), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    settings = {"views": 40, "beam": "parallel", "electronic": electronic, "seed": 3}
    noisy = simulate(plates, SimulatedScan(photons=photons, **settings)).integrals
    clean = simulate(plates, SimulatedScan(photons=0, **settings)).integrals
    deep = np.abs(clean - depth) < 0.05
    counts = photons * np.exp(-clean[deep].astype(np.float64))
    assert deep.sum() > 3000
    expected = float(np.mean((counts + electronic**2) / counts**2))
    assert float(np.var((noisy - clean)[deep])) == pytest.approx(expected, rel=0.1)
    assert np.array_equal(noisy, simulate(plates, SimulatedScan(photons=photons, **settings)).integrals)


def test_starved_pixels_are_told_of():
    scan = simulate(water_ball(18.0), SimulatedScan(views=3, beam="parallel", photons=10, electronic=5))
    assert "caught no photon" in scan.notes[0] and np.isfinite(scan.integrals).all()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"beam": "fan"}, "choose cone or parallel"),
        ({"views": 1}, "from 2 to 10000"),
        ({"photons": -1}, "from 10 to 1e9"),
        ({"electronic": float("nan")}, "electronic noise"),
    ],
)
def test_what_is_no_scan_is_refused(settings, said):
    with pytest.raises(JobError, match=said):
        SimulatedScan(**settings)
