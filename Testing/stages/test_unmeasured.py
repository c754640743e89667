"""What no scanner measured changes nothing of what one did, and is given back as it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.ndimage as ndi
import torch

from CTSuperResolutionLib.degradation.operator import make_degradation
from CTSuperResolutionLib.degradation.simulation import degrade
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.phantom import thorax
from CTSuperResolutionLib.pipeline import super_resolve
from CTSuperResolutionLib.stages.unmeasured import Unmeasured
from CTSuperResolutionLib.volume.volume import Volume

SCALE = 4
METHOD = Method(
    scale=str(SCALE),
    preset="preview",
    device="cpu",
    settings={"psf": "lanczos", "null_space": 0, "residual": "grid", "grid_steps": 1, "views": 4},
)


@pytest.fixture(scope="module")
def scan() -> Volume:
    return degrade(thorax(shape=(48, 96, 96), spacing=2.0), (SCALE,) * 3)


def fine(valid: np.ndarray) -> np.ndarray:
    return np.kron(valid, np.ones((SCALE,) * 3, dtype=bool))


def test_tissue_inside_a_padded_field_of_view_stays(scan):
    _, rows, columns = scan.shape
    y, x = np.mgrid[:rows, :columns] - 11.5
    field = np.broadcast_to(np.hypot(y, x) < 8, scan.shape)
    padded = replace(scan, array=np.where(field, scan.array, -1024).astype(np.float32), valid=field.copy())
    whole, seen = super_resolve(scan, METHOD).sr.array, super_resolve(padded, METHOD)
    taken_for_air = super_resolve(replace(padded, valid=None), METHOD).sr.array
    depth = ndi.distance_transform_edt(fine(field)[0])
    for least, most, share in ((0, 2, 0.35), (2, 6, 0.35), (6, 99, 0.35)):
        ring = np.broadcast_to((depth > least) & (depth <= most), whole.shape)
        error, before = ((array - whole)[ring].std() for array in (seen.sr.array, taken_for_air))
        assert error < share * before
    far = np.broadcast_to(depth == 0, whole.shape) & ~ndi.maximum_filter(fine(field), 4 * SCALE + 1)
    assert np.array_equal(seen.sr.array[far], seen.cubic.array[far])
    inside = ndi.binary_erosion(field, border_value=1)
    degradation = make_degradation(whole.shape, (SCALE,) * 3)
    off = [degradation.A(torch.from_numpy(v.array)).numpy() - scan.array for v in (seen.sr, seen.cubic)]
    agreed, before = ((error[inside] ** 2).mean() ** 0.5 for error in off)
    assert agreed < before / 3


def test_nothing_of_the_padding_is_given_back_in_a_measured_voxel():
    """Not even at the corners of a round field of view, which lie far from the middle of their voxel."""
    y, x = np.mgrid[:12, :12] - 5.5
    field = np.broadcast_to(np.hypot(y, x) < 5, (8, 12, 12)).copy()
    axes = METHOD.target_grid(field.shape, (4.0, 4.0, 4.0)).axes
    padded = torch.from_numpy(np.where(field, 40.0, -1024.0).astype(np.float32))
    result = torch.full((32, 48, 48), 55.0)
    unmeasured = Unmeasured.of(padded, field, axes)
    given = unmeasured.given_back(result)
    assert (given[fine(field)] == 55).all()
    far = ~ndi.binary_dilation(fine(field), np.ones((3, 3, 3)), iterations=SCALE)
    assert far.any() and torch.equal(given[far], unmeasured.cubic[far])


def test_saturated_metal_does_not_reach_far(scan):
    """A block of 30,000 HU beside a block that ends at the scale's end: what is around is the same."""
    results = []
    for hu in (3071.0, 30_000.0):
        array = scan.array.copy()
        array[5:7, 10:13, 10:13] = hu
        results.append(super_resolve(replace(scan, array=array, valid=array < hu), METHOD))
    near = ndi.maximum_filter(~fine(array < hu), 2 * SCALE + 1)
    assert np.array_equal(results[0].sr.array[~near], results[1].sr.array[~near])
    assert results[1].sr.array[24, 46, 46] == pytest.approx(results[1].cubic.array[24, 46, 46])
