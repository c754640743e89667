"""Projections against the Joseph projector of RTK, a projector written by others."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from CTSuperResolutionLib.projection.geometry import ScanGeometry, cone_beam, parallel_beam
from CTSuperResolutionLib.projection.grid import VolumeGrid
from CTSuperResolutionLib.projection.projector import Projector

itk = pytest.importorskip("itk", reason="itk-rtk, of the test extra, is not installed")
if not hasattr(itk, "RTK"):
    pytest.skip("itk is installed without its module itk-rtk, of the test extra", allow_module_level=True)


# Joseph interpolates across the ray only, the ray-caster along both axes of a slice, which at 45 degrees blurs by 1/12
# voxel^2 more: 0.3 % of blobs this smooth.
LIMIT = 0.005


def rtk_projections(volume: np.ndarray, spacing, geometry: ScanGeometry) -> np.ndarray:
    """RTK turns about y, from a source on +z at angle 0 towards +x, with the detector's u along x and v along y.

    Ours turns about z, from a source on -y towards +x. So its (x, y, z) are our (x, z, -y), at the same angle.
    """
    from itk import RTK as rtk

    def image(array, array_spacing):
        made = itk.image_from_array(np.ascontiguousarray(array, dtype=np.float32))
        made.SetSpacing([float(s) for s in array_spacing[::-1]])
        centre = [-(n - 1) / 2 * s for n, s in zip(array.shape[::-1], array_spacing[::-1], strict=True)]
        made.SetOrigin(centre)
        return made

    circle = rtk.ThreeDCircularProjectionGeometry.New()
    for angle in geometry.angles:
        circle.AddProjection(geometry.source_distance or 1000.0, geometry.detector_distance or 0.0, math.degrees(angle))
    (dv, du), (sz, sy, sx) = geometry.detector_spacing, spacing
    stack = image(np.zeros((geometry.views, *geometry.detector_shape)), (1.0, dv, du))
    stack.SetOrigin([stack.GetOrigin()[0], stack.GetOrigin()[1], 0.0])
    kind = itk.Image[itk.F, 3]
    projector = rtk.JosephForwardProjectionImageFilter[kind, kind].New()
    projector.SetInput(0, stack)
    projector.SetInput(1, image(volume.transpose(1, 0, 2)[::-1], (sy, sz, sx)))
    projector.SetGeometry(circle)
    projector.Update()
    return itk.array_from_image(projector.GetOutput())


def blobs(shape, spacing, blur_mm: float, seed: int) -> np.ndarray:
    """Smooth noise without any symmetry, zero near the faces: at the outermost voxels the projectors differ."""
    noise = np.random.default_rng(seed).normal(size=shape)
    noise[0], noise[-1], noise[:, :2], noise[:, -2:], noise[:, :, :2], noise[:, :, -2:] = (0,) * 6
    blurred = gaussian_filter(noise, [blur_mm / s for s in spacing], mode="constant")
    window = np.zeros(shape)
    window[1:-1, 2:-2, 2:-2] = 1
    return (blurred * window).astype(np.float32)


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.sqrt(((found - expected) ** 2).mean() / (expected**2).mean()))


@pytest.mark.slow  # for loading itk; the projections themselves are quick
@pytest.mark.parametrize("factory", [parallel_beam, cone_beam])
@pytest.mark.parametrize(
    ("shape", "spacing"),
    [((32, 32, 32), (1.0, 1.0, 1.0)), ((20, 48, 37), (1.0, 1.0, 1.0)), ((16, 40, 56), (2.5, 1.2, 0.8))],
)
def test_same_as_rtk(factory, shape, spacing):
    volume = blobs(shape, spacing, blur_mm=2.5, seed=len(shape) + shape[1])
    geometry = factory(views=11, volume_shape=shape, spacing=spacing)
    expected = rtk_projections(volume, spacing, geometry)
    found = Projector(VolumeGrid(shape, spacing), geometry).forward(torch.from_numpy(volume)).numpy()
    assert relative_error(found, expected) < LIMIT
    # What a mistake of one pixel, of the sense of rotation or of handedness would make of it.
    for wrong in (np.roll(found, 1, 2), np.roll(found, 1, 1), found[:, :, ::-1], found[:, ::-1], found[::-1]):
        assert relative_error(wrong, expected) > 40 * LIMIT
