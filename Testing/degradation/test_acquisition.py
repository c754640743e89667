"""Where the acquisition of a scan is known from, and that its degradation is what it says."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from CTSuperResolutionLib.degradation.acquisition import (
    BlockMeanSampling,
    LanczosSampling,
    PointSpreadSampling,
    acquisition_of,
    slice_thickness_of,
)
from CTSuperResolutionLib.degradation.operator import make_degradation
from CTSuperResolutionLib.degradation.point_spread import PointSpread, psf_matrix
from CTSuperResolutionLib.job.parameters import Parameters
from CTSuperResolutionLib.volume.acquisition_tags import AcquisitionTags, MeasuredWidth
from CTSuperResolutionLib.volume.volume import Volume

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
FACTORS = (5, 1, 1)


def scan_of(array: np.ndarray, spacing: tuple[float, float, float]) -> Volume:
    return Volume(np.ascontiguousarray(array, dtype=np.float32), spacing, (0.0, 0.0, 0.0), IDENTITY)


@pytest.fixture(scope="module")
def thick() -> Volume:
    """Slices of 5 mm with a triangular profile of 4.5 mm, of a ball in air."""
    z, y, x = np.ogrid[-48:48:192j, -40:40:60j, -40:40:60j]
    fine = np.where(x**2 + y**2 + z**2 < 36**2, 40.0, -1000.0)
    matrix = psf_matrix(PointSpread("triangle", 4.5), (19, 5.0), (192, 0.5))
    return scan_of(np.tensordot(matrix, fine, axes=(1, 0)), (5.0, 80 / 59, 80 / 59))


def acquisition(scan: Volume, factors=FACTORS, **settings):
    return acquisition_of(scan, Parameters.of("balanced", settings), factors)


def test_what_the_scan_shows_is_used_and_said_with_its_error(thick):
    slices = acquisition(thick).axes[0]
    assert slices.source == "measured" and isinstance(slices.kernel, PointSpreadSampling)
    assert slices.kernel.psf.fwhm == pytest.approx(4.5, rel=0.1)
    report = acquisition(thick).report()["z"]
    assert report["measured_mm"] == report["fwhm_mm"] and report["measured_error_mm"] < 0.45


def test_what_the_user_sets_comes_first_and_what_was_measured_is_still_said(thick):
    slices = acquisition(thick, slice_width=6.0, psf="gaussian").axes[0]
    assert slices.source == "set" and slices.kernel == PointSpreadSampling(PointSpread("gaussian", 6.0))
    assert slices.report()["measured_mm"] == pytest.approx(4.5, rel=0.1)


def test_a_family_can_be_set_without_a_width(thick):
    slices = acquisition(thick, psf="gaussian").axes[0]
    assert slices.kernel.psf.family == "gaussian" and slices.source == "measured"


def test_the_slice_axis_is_the_one_of_the_largest_spacing(thick):
    turned = scan_of(thick.array.transpose(1, 2, 0), (80 / 59, 80 / 59, 5.0))
    found = acquisition(turned, (1, 1, 5), slice_width=6.0, pixel_width=2.0)
    assert [axis.kernel.psf.fwhm for axis in found.axes] == [2.0, 2.0, 6.0]


@pytest.mark.parametrize("value", [0.0, -1000.0])
def test_a_scan_of_one_value_says_nothing(value):
    slices = acquisition(scan_of(np.full((12, 20, 20), value), (5.0, 1.0, 1.0))).axes[0]
    assert slices.source == "spacing" and slices.measured is None


@pytest.mark.parametrize("psf", ["lanczos", "mean"])
def test_the_papers_protocols_are_told_and_give_the_papers_operators(thick, psf):
    found = acquisition(thick, (2, 4, 4), psf=psf)
    assert {axis.source for axis in found.axes} == {"set"} and all(axis.measured is None for axis in found.axes)
    fine = torch.from_numpy(np.random.default_rng(0).random((8, 16, 16)))
    expected = make_degradation(fine.shape, (2, 4, 4), kernel=psf, blur=(0.5, 1.0, 1.0))
    degradation = found.degradation([(4, 2.0), (4, 4.0), (4, 4.0)], [(8, 1.0), (16, 1.0), (16, 1.0)])
    torch.testing.assert_close(degradation.A(fine), expected.A(fine))


@pytest.mark.parametrize("shift", [0.0, 0.21])
def test_means_over_factors_that_are_not_whole_share_voxels_by_their_width(shift):
    coarse, fine = (5, 5.0), (32, 0.78)
    matrix = BlockMeanSampling().matrix(coarse, fine, shift)
    values = np.random.default_rng(0).random(32)
    at = (np.arange(25_000) - 24_999 / 2) * 1e-3  # micrometres of the scan's box
    voxels = np.clip(np.floor((at - shift) / 0.78 + 16).astype(int), 0, 31)
    np.testing.assert_allclose(matrix @ values, values[voxels].reshape(5, 5000).mean(1), atol=1e-3)


@pytest.mark.parametrize("shift", [0.0, 0.21])
def test_lanczos_samples_at_the_scans_centres_where_factors_are_not_whole(shift):
    """A slow wave, which it leaves as it is but for what the blur of one voxel takes."""
    coarse, fine = (40, 5.0), (256, 0.78)
    matrix = LanczosSampling(1.0).matrix(coarse, fine, shift)
    frequency = 2 * np.pi / 60
    wave = np.sin(frequency * ((np.arange(256) - 255 / 2) * 0.78 + shift))
    centres = (np.arange(40) - 39 / 2) * 5.0
    expected = np.exp(-((frequency * 0.78) ** 2) / 2) * np.sin(frequency * centres)
    np.testing.assert_allclose((matrix @ wave)[6:-6], expected[6:-6], atol=2e-3)
    np.testing.assert_allclose(matrix.sum(1), 1)


def test_an_axis_that_is_not_refined_is_left_alone(thick):
    degradation = acquisition(thick).degradation([(19, 5.0), (60, 1.4), (60, 1.4)], [(95, 1.0), (60, 1.4), (60, 1.4)])
    assert degradation.axes[1] is None and degradation.axes[2] is None
    assert degradation.factors == (5.0, 1.0, 1.0)


def test_the_least_rough_inverse_gives_the_scan_back_without_steps_between_slices():
    """Slices that hardly overlap: the pseudo-inverse steps from one to the next, which no scan demands."""
    matrix_of = PointSpreadSampling(PointSpread("triangle", 4.5)).matrix
    axis = type(make_degradation((40,), (4,)).axes[0])(matrix_of((20, 5.0), (100, 1.0)))
    y = np.sin(np.linspace(0, 3, 20)) * 100
    np.testing.assert_allclose(axis.matrix @ (axis.smooth_inverse @ y), y, atol=0.5)
    rough, smooth = (np.abs(np.diff(inverse @ y)).max() for inverse in (axis.pseudo_inverse, axis.smooth_inverse))
    assert smooth < 0.65 * rough


def test_what_was_measured_in_the_whole_scan_counts_for_a_part_of_it(thick):
    widths = (MeasuredWidth("box", 4.0, 0.5, 900), None, None)
    part = replace(thick, acquisition=AcquisitionTags(measured=widths))
    found = acquisition(part, (5, 2, 2)).axes
    assert found[0].source == "measured" and found[0].kernel == PointSpreadSampling(PointSpread("box", 4.0))
    assert found[1].measured is None and found[2].measured is None


def test_the_thickness_of_a_header_is_that_of_the_slices(thick):
    flat = scan_of(np.full((12, 20, 20), 40.0), (0.6, 0.9, 0.9))
    found = acquisition_of(flat, Parameters.of("balanced", {}), (2, 2, 2), 1.0)
    assert [axis.source for axis in found.axes] == ["header", "spacing", "spacing"]
    assert slice_thickness_of(found, flat.spacing, 1.0).sentence == "slices 1.0 mm thick by the header"


def test_the_look_can_be_ended_before_every_axis(thick):
    axes = []
    acquisition_of(thick, Parameters.of("balanced", {}), (2, 2, 2), None, lambda: axes.append(len(axes)))
    assert axes == [0, 1, 2]


def test_a_header_that_states_thicker_slices_than_the_edges_allow_is_limited():
    """A ball of 5 mm slices, box profile: too narrow to be told, and too sharp for slices of 10 mm."""
    z, y, x = np.ogrid[-48:48:192j, -40:40:60j, -40:40:60j]
    fine = np.where(x**2 + y**2 + z**2 < 36**2, 40.0, -1000.0)
    matrix = psf_matrix(PointSpread("box", 5.0), (19, 5.0), (192, 0.5))
    scan = scan_of(np.tensordot(matrix, fine, axes=(1, 0)), (5.0, 80 / 59, 80 / 59))
    p = Parameters.of("balanced", {})
    right, wrong = (acquisition_of(scan, p, FACTORS, thickness).axes[0] for thickness in (5.0, 10.0))
    assert right.source == wrong.source == "header" and right.measured is None
    assert right.kernel.psf.fwhm == 4.0 and right.edges_mm is None
    assert wrong.kernel.psf.fwhm == wrong.edges_mm < 6.0
    assert "edges_mm" in wrong.report() and "edges_mm" not in right.report()


def test_slices_far_apart_are_thick_where_nothing_says_how():
    flat = np.full((12, 20, 20), 40.0)
    p = Parameters.of("balanced", {})
    apart = acquisition_of(scan_of(flat, (5.0, 0.9, 0.9)), p, (5, 1, 1)).axes[0]
    assert apart.source == "spacing" and apart.kernel == PointSpreadSampling(PointSpread("gaussian", 3.5))
    together = acquisition_of(scan_of(flat, (1.2, 0.9, 0.9)), p, (2, 1, 1)).axes[0]
    assert together.source == "spacing" and together.kernel == LanczosSampling(p.blur)


def in_plane(rows: float, columns: float) -> list[float | None]:
    """What is measured along rows and columns of a ball of pixels of 1.5 mm, blurred to these widths, mm."""
    z, y, x = np.ogrid[-48:48:96j, -48:48:192j, -48:48:192j]
    array = np.where(x**2 + y**2 + z**2 < 36**2, 40.0, -1000.0)
    for axis, fwhm in ((1, rows), (2, columns)):
        matrix = psf_matrix(PointSpread("gaussian", fwhm), (64, 1.5), (192, 0.5))
        array = np.moveaxis(np.tensordot(matrix, array, axes=(1, axis)), 0, axis)
    found = acquisition(scan_of(array, (3.0, 1.5, 1.5)), (2, 2, 2)).axes[1:]
    return [axis.measured and axis.measured.psf.fwhm for axis in found]


def test_a_width_along_rows_counts_only_where_edges_along_columns_allow_it():
    assert in_plane(2.4, 2.4) == [pytest.approx(2.4, rel=0.1)] * 2
    assert in_plane(2.4, 4.0) == [pytest.approx(2.4, rel=0.1), None]
    assert in_plane(4.0, 2.4) == [None, pytest.approx(2.4, rel=0.1)]
