"""The cubic baseline against SimpleITK's B-spline resampling on the same grid, in patient space."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from scipy.ndimage import map_coordinates

from CTSuperResolutionLib.degradation.upsampling import (
    spline_matrix,
    upsample,
    upsample_bilinear,
    upsample_onto,
)
from CTSuperResolutionLib.job.refinement import Refinement
from CTSuperResolutionLib.job.target_grid import TargetAxis, TargetGrid
from CTSuperResolutionLib.volume.volume import Volume

OBLIQUE = (0.8, -0.36, 0.48, 0.6, 0.48, -0.64, 0.0, 0.8, 0.6)
PAD = 12


def whole(size: int, factor: int) -> TargetAxis:
    return TargetAxis.over(size, 1.0, factor, 1 / factor)


def resampled_by_itk(volume: Volume, grid: Volume) -> np.ndarray:
    """ITK mirrors about the end samples, so the image is padded the way the upsampling extends it."""
    padded = np.pad(volume.array, PAD, mode="symmetric")
    image = sitk.GetImageFromArray(padded)
    image.SetSpacing(volume.spacing[::-1])
    image.SetDirection(volume.direction)
    image.SetOrigin(volume.point((-PAD, -PAD, -PAD)))
    resampler = sitk.ResampleImageFilter()
    resampler.SetInterpolator(sitk.sitkBSpline)
    resampler.SetSize(grid.shape[::-1])
    resampler.SetOutputSpacing(grid.spacing[::-1])
    resampler.SetOutputOrigin(grid.origin)
    resampler.SetOutputDirection(volume.direction)
    return sitk.GetArrayFromImage(resampler.Execute(image))


@pytest.mark.parametrize("direction", [(1, 0, 0, 0, 1, 0, 0, 0, 1), OBLIQUE], ids=["axial", "oblique"])
@pytest.mark.parametrize("scale", [(2, 2, 2), (4, 4, 4), (8, 8, 8), (7, 1, 1), (1, 3, 5)], ids=str)
def test_equals_itk_on_the_output_grid(scale, direction):
    values = np.random.default_rng(0).normal(0, 300, (13, 14, 15)).astype(np.float32)
    volume = Volume(values, (2.5, 0.8, 0.7), (-110.0, 35.5, 802.25), tuple(map(float, direction)))
    ours = volume.with_array(upsample(torch.from_numpy(values), scale).numpy(), scale)
    np.testing.assert_allclose(ours.array, resampled_by_itk(volume, ours), atol=0.02)


@pytest.mark.parametrize("wanted", [(0.78, 0.8, 0.7), (1.9, 0.61, 0.3)], ids=str)
@pytest.mark.parametrize("region", [None, (slice(2, 11), slice(1, 9), slice(4, 15))], ids=["whole", "region"])
def test_a_spacing_equals_itk_on_its_grid_inside_a_region_as_well(wanted, region):
    values = np.random.default_rng(0).normal(0, 300, (13, 14, 15)).astype(np.float32)
    volume = Volume(values, (2.5, 0.8, 0.7), (-110.0, 35.5, 802.25), OBLIQUE)
    target = TargetGrid.over(volume.shape, volume.spacing, Refinement.to_spacing(wanted, volume.spacing))
    if region is not None:
        volume, target = volume.crop(region), target.part(region)
    ours = volume.on_target(upsample_onto(torch.from_numpy(volume.array), target.axes).numpy(), target)
    assert ours.spacing == wanted
    np.testing.assert_allclose(ours.array, resampled_by_itk(volume, ours), atol=0.02)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_every_cubic_polynomial_is_reproduced_inside(scale):
    at = (np.arange(40 * scale) + 0.5) / scale - 0.5
    coarse = np.polynomial.Polynomial([1.0, -0.3, 0.02, 4e-4])(np.arange(40))
    fine = np.polynomial.Polynomial([1.0, -0.3, 0.02, 4e-4])(at)
    inner = slice(15 * scale, -15 * scale)
    np.testing.assert_allclose((spline_matrix(whole(40, scale)) @ coarse)[inner], fine[inner], rtol=1e-6)


def test_constants_and_centres():
    np.testing.assert_allclose(spline_matrix(whole(9, 4)).sum(1), 1)
    # With an odd factor every coarse centre is a fine centre too, and interpolation passes through it.
    np.testing.assert_allclose(spline_matrix(whole(9, 3))[1::3], np.eye(9), atol=1e-9)


def test_bilinear_views_are_scipys():
    views = np.random.default_rng(0).random((2, 5, 7))
    at = np.meshgrid(*((np.arange(n * s) + 0.5) / s - 0.5 for n, s in ((5, 4), (7, 3))), indexing="ij")
    expected = [map_coordinates(view, at, order=1, mode="nearest") for view in views]
    np.testing.assert_allclose(upsample_bilinear(torch.from_numpy(views), (4, 3)).numpy(), expected, atol=1e-12)
