"""The width of a known point-spread function is found in a scan made with it, or no width is given."""

import numpy as np
import pytest

from CTSuperResolutionLib.degradation.point_spread import PointSpread, psf_matrix
from CTSuperResolutionLib.degradation.psf_estimation import estimate_psf

FINE = 0.5  # mm


def body(noise: float = 0.0) -> np.ndarray:
    """A ball of tissue with a bone inside, (z, y, x), 0.5 mm: surfaces of every slope."""
    z, y, x = np.ogrid[-48:48:192j, -40:40:60j, -40:40:60j]
    hu = np.full((192, 60, 60), -1000.0)
    hu[x**2 + y**2 + z**2 < 36**2] = 40.0
    hu[(x + 5) ** 2 + y**2 + (z / 1.2) ** 2 < 14**2] = 700.0
    return hu


def thickened(family: str, fwhm: float, pitch: float, noise: float = 0.0) -> np.ndarray:
    fine = body()
    count = int(fine.shape[0] * FINE / pitch)
    matrix = psf_matrix(PointSpread(family, fwhm), (count, pitch), (fine.shape[0], FINE))
    scan = np.tensordot(matrix, fine, axes=(1, 0))
    return (scan + np.random.default_rng(0).normal(0, noise, scan.shape)).astype(np.float32)


SPACING = 80 / 59  # of rows and columns, mm


@pytest.mark.parametrize("noise", [0.0, 20.0])
@pytest.mark.parametrize(
    ("family", "fwhm", "pitch"),
    [
        ("triangle", 4.5, 5.0),
        ("gaussian", 4.5, 5.0),
        ("triangle", 2.0, 2.0),
        ("gaussian", 3.0, 1.0),  # overlapping slices
        ("box", 4.0, 2.0),
    ],
)
def test_a_known_profile_is_found_within_a_tenth(family, fwhm, pitch, noise):
    found = estimate_psf(thickened(family, fwhm, pitch, noise), (pitch, SPACING, SPACING), 0)
    assert found is not None and found.profiles > 150
    assert found.psf.fwhm == pytest.approx(fwhm, rel=0.1)
    assert 0 <= found.error < 0.1 * fwhm


@pytest.mark.parametrize(("family", "fwhm", "pitch"), [("triangle", 2.5, 4.0), ("box", 2.0, 5.0), ("box", 5.0, 5.0)])
def test_of_slices_with_gaps_between_them_no_width_is_said(family, fwhm, pitch):
    """An edge between two samples looks the same for every profile that is narrower than their spacing."""
    assert estimate_psf(thickened(family, fwhm, pitch), (pitch, SPACING, SPACING), 0) is None


def test_it_is_found_along_whichever_axis():
    scan = thickened("triangle", 4.5, 5.0)
    along_x = estimate_psf(np.ascontiguousarray(scan.transpose(1, 2, 0)), (SPACING, SPACING, 5.0), 2)
    along_z = estimate_psf(scan, (5.0, SPACING, SPACING), 0)
    assert along_x is not None and along_z is not None
    assert along_x.psf.fwhm == pytest.approx(along_z.psf.fwhm, rel=0.02)


@pytest.mark.parametrize(
    "scan",
    [
        np.zeros((20, 30, 30)),
        np.full((20, 30, 30), -1000.0),
        np.random.default_rng(0).normal(0, 200, (20, 30, 30)),  # nothing but noise
        body()[:3],  # too few slices
        np.arange(20.0)[:, None, None] * 100 + np.zeros((20, 30, 30)),  # no plateau anywhere
    ],
    ids=["tissue", "air", "noise", "three slices", "ramp"],
)
def test_where_there_is_too_little_to_see_nothing_is_said(scan):
    assert estimate_psf(scan.astype(np.float32), (2.0, 1.0, 1.0), 0) is None
