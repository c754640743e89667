"""The width of a known point-spread function is found in a scan made with it, or no width is given."""

import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage as ndi
from scipy.special import erf

from CTSuperResolutionLib.degradation.point_spread import PointSpread, psf_matrix
from CTSuperResolutionLib.degradation.psf_estimation import estimate_psf, widest_psf
from CTSuperResolutionLib.phantom import thorax
from CTSuperResolutionLib.volume.reading import read_volume

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
from catphan_ramps import RISE, bars, measured
from psf_recovery import recoveries

FINE = 0.5  # mm


def body() -> np.ndarray:
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
        np.zeros((1, 1, 1)),
        np.zeros((30, 1, 1)),
        500 * erf((np.arange(30)[:, None, None] - 12 - np.arange(14) / 5) / 2)
        + np.zeros((30, 14, 14)),  # one small edge
    ],
    ids=["tissue", "air", "noise", "three slices", "ramp", "voxel", "column", "one edge"],
)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_where_there_is_too_little_to_see_nothing_is_said(scan, axis):
    assert estimate_psf(scan.astype(np.float32), (2.0, 1.0, 1.0), axis) is None


def sheets(width_of, pitch: float, *, slope: float = 0.25) -> np.ndarray:
    """Layers of air and tissue between curved and tilted surfaces, (z, y, x), 1 mm in the plane.

    Seen by a Gaussian along z, in closed form: the edge at height h is Φ((z − h)/σ), its FWHM ``width_of(rising, y)``.
    """
    z = (np.arange(round(160 / pitch)) * pitch)[:, None, None]
    y, x = np.ogrid[:96.0, :96.0]
    hu = np.full((len(z), 96, 96), -1000.0)
    for k, middle in enumerate((35.0, 75.0, 115.0)):
        surface = middle + slope * (x - 48) + ((y - 48) ** 2 + (x - 48) ** 2) / 120 - 10
        sigma = width_of(k % 2 == 0, y) / (8 * np.log(2)) ** 0.5
        hu += (1000 if k % 2 == 0 else -1000) * (1 + erf((z - surface) / (2**0.5 * sigma))) / 2
    return hu.astype(np.float32)


@pytest.mark.parametrize(("fwhm", "pitch"), [(3.0, 3.0), (3.0, 1.5), (5.0, 2.5), (6.0, 5.0)])
@pytest.mark.parametrize("noise", [0.0, 30.0])
def test_surfaces_that_tilt_and_curve_show_the_width_of_the_closed_form(fwhm, pitch, noise):
    scan = sheets(lambda rising, y: fwhm, pitch)
    scan += np.random.default_rng(1).normal(0, noise, scan.shape).astype(np.float32)
    found = estimate_psf(scan, (pitch, 1.0, 1.0), 0)
    assert found is not None and found.psf.fwhm == pytest.approx(fwhm, rel=0.05)
    assert found.error < 0.1 * fwhm


@pytest.mark.parametrize(
    "width_of",
    [lambda rising, y: 3.0 + y / 24, lambda rising, y: 3.0 if rising else 4.5],
    ids=["from place to place", "rising and falling"],
)
def test_surfaces_that_do_not_agree_say_no_width(width_of):
    assert estimate_psf(sheets(width_of, 2.5), (2.5, 1.0, 1.0), 0) is None
    assert widest_psf(sheets(width_of, 2.5), (2.5, 1.0, 1.0), 0) == pytest.approx(4.5, rel=0.35)


def test_edges_that_no_scanner_measured_say_nothing():
    scan = sheets(lambda rising, y: 4.0, 2.5)
    assert estimate_psf(scan, (2.5, 1.0, 1.0), 0, np.ones(scan.shape, bool)) is not None
    assert estimate_psf(scan, (2.5, 1.0, 1.0), 0, (scan < -900) | (scan > -100)) is None
    assert estimate_psf(scan, (2.5, 1.0, 1.0), 0, np.zeros(scan.shape, bool)) is None


@pytest.mark.parametrize("axis", [1, 2])
def test_the_blur_of_thick_slices_does_not_pass_for_blur_in_the_plane(axis):
    """A ball, Gaussian of 2 mm in the plane and slices of 6 mm: most of its surface is tilted across the slices."""
    z, y, x = np.ogrid[-48:48, -48:48, -48:48]
    sigma = np.array([6.0, 2.0, 2.0]) / (8 * np.log(2)) ** 0.5
    ball = ndi.gaussian_filter(1000.0 * (z**2 + y**2 + x**2 < 40**2) - 1000, sigma)
    width = (2.0**2 + 8 * np.log(2) / 12) ** 0.5  # with the voxels of the ball, 1 mm
    found = estimate_psf(np.ascontiguousarray(ball[::6], dtype=np.float32), (6.0, 1.0, 1.0), axis)
    assert found is None or found.psf.fwhm == pytest.approx(width, rel=0.1)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_few_edges_of_a_crop_of_a_chest_are_not_believed(seed):
    """Thickened by a box of 5 mm they once said a triangle of 6.9 ± 0.4 mm, and 1.7 mm within the slices."""
    chest = thorax(shape=(100, 96, 96), seed=seed).array
    thick = chest.reshape(20, 5, 96, 96).mean(1)
    for axis, width in enumerate((5.0, 1.0, 1.0)):
        found = estimate_psf(thick, (5.0, 1.0, 1.0), axis)
        assert found is None or found.psf.fwhm == pytest.approx(width, rel=0.1)


@pytest.mark.slow
def test_of_the_widths_said_of_real_scans_nine_in_ten_are_right(shared_data):
    """Known profiles on thin CTs; their own widths are those of the sharpest edges in the data's index."""
    found = []
    profiles = [("triangle", 4.5, 5.0), ("gaussian", 3.0, 2.0), ("box", 5.0, 2.5), ("box", 3.0, 3.0)]
    noises = {"none": (0.0, 0.0), "coloured": (20.0, 0.8)}
    for name, own in (("chest_lidc0314", 1.33), ("chest_slab_riderpilot0117", 1.33), ("pair_headphantom_1mm", 1.38)):
        scan = read_volume(shared_data / "ct" / f"{name}.nrrd")
        found += recoveries(name, scan, own, profiles, noises)
    given = [r for r in found if r.found_mm is not None]
    assert len(given) >= 8
    assert sum(r.right for r in given) >= 0.9 * len(given), [r for r in given if not r.right]


@pytest.mark.slow
def test_the_slices_of_a_real_scan_are_as_thick_as_its_thin_ones_say(shared_data):
    """Fitted from the thin slices of the same scan: a triangle of 4.5 mm beside the thin slices' own blur."""
    scan = read_volume(shared_data / "ct" / "pair_headphantom_5mm.nrrd")
    found = estimate_psf(scan.array, scan.spacing, 0, scan.valid)
    assert found is not None and found.psf.family == "triangle"
    assert found.psf.fwhm == pytest.approx(4.5, abs=0.2)


def test_wire_ramps_say_how_thick_slices_are():
    """The check of the one below: bars as slices of 2 to 4 mm see them, 1 mm apart."""
    hu = np.random.default_rng(0).normal(50, 15, (3, 300, 300))
    mm = (np.arange(300) - 150) * 0.5
    for k, width in enumerate((2.0, 3.0, 4.0)):
        sigma = width / RISE / 2.3548
        bar = 900 * np.exp(-(((mm + 5 - 2 * k) / sigma) ** 2) / 2)
        hu[k, 150 - 76] += bar  # 38 mm from the middle
        hu[k, :, 150 + 76] += bar
    found = [[width * RISE for slice_, _, width in bars(hu, 0.5) if slice_ == k] for k in range(3)]
    assert [len(widths) for widths in found] == [2, 2, 2]
    assert np.mean(found, axis=1) == pytest.approx([2, 3, 4], rel=0.06)


@pytest.mark.slow
def test_of_a_catphan_no_width_is_said_but_that_of_its_ramps(shared_data):
    found = measured(read_volume(shared_data / "ct" / "catphan504_obi_cbct.nrrd"))
    assert found["bars"] >= 20 and found["spread_mm"] < 0.1 * found["slice_width_mm"]
    assert found["estimated_mm"] is None or found["estimated_mm"] == pytest.approx(found["slice_width_mm"], rel=0.1)
    assert found["edges_mm"] is None or found["edges_mm"] > 0.9 * found["slice_width_mm"]
