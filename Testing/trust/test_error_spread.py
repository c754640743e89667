"""The spread of the error where it can be worked out by hand, and the map that is made of it by the part."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from CTSuperResolutionLib.output.slab_store import StoredArray
from CTSuperResolutionLib.quantification.added_structure import region_labels
from CTSuperResolutionLib.quantification.subdivision import planes
from CTSuperResolutionLib.trust.error_map import ErrorMap, error_by_tissue, error_volume
from CTSuperResolutionLib.trust.error_spread import ErrorSpread
from CTSuperResolutionLib.trust.self_test import SPREAD, SelfTest
from CTSuperResolutionLib.volume.volume import Volume

SHAPE = (24, 20, 18)
FLAT = np.full(SHAPE, 40.0, np.float32)
Z, Y, _ = np.meshgrid(*map(np.arange, SHAPE), indexing="ij")
PLAIN = ErrorSpread(noise=2, steep=3, curved=5, changed=7, power=1, lung=11, bone=13)
TEST = SelfTest(factor=1.5, noise_hu=6, axis=0, rms_hu=20, cubic_rms_hu=20, voxels=1000)
DIRECTION = (1, 0, 0, 0, 1, 0, 0, 0, 1)


def middle(sr: np.ndarray, cubic: np.ndarray = FLAT, refined=(0,), noise: float = 0.0) -> float:
    return float(PLAIN.of(sr, cubic, refined, noise)[12, 10, 9])


@pytest.mark.parametrize("noise", [1.0, 4.0, 30.0])
def test_where_nothing_is_there_is_the_noise_of_thin_slices(noise):
    assert middle(FLAT, noise=noise) == pytest.approx(np.sqrt((2 * noise) ** 2 + 1), rel=1e-4)


@pytest.mark.parametrize(
    ("sr", "cubic", "expected"),
    [
        (FLAT + 9 * Z, FLAT + 9 * Z, 3 * 9),  # steep, across the range of soft tissue and contrast medium
        (
            FLAT + 0.5 * (Z - 12) ** 2,
            FLAT + 0.5 * (Z - 12) ** 2,
            np.sqrt(9 * 2 / 3 + 25),
        ),  # slopes −1, 0, 1; curved by 1
        (FLAT + 6, FLAT, 7 * 6),  # changed
    ],
)
def test_each_of_the_three_has_its_weight(sr, cubic, expected):
    bone = 1 / (1 + np.exp((250 - cubic[12, 10, 9]) / 50))
    least = 2.0  # of noise
    assert middle(sr, cubic) == pytest.approx(np.sqrt(least**2 + 1 + (expected * 13**bone) ** 2), rel=0.02)


def test_only_axes_that_were_refined_count():
    steep_within = FLAT + 9 * Y
    assert middle(steep_within, steep_within) == pytest.approx(middle(FLAT), rel=1e-3)
    assert middle(steep_within, steep_within, refined=(1,)) > 20


def test_lung_and_bone_have_more_error_than_what_is_seen_says():
    def grade(hu: float) -> float:
        cubic = np.full(SHAPE, hu, np.float32)
        return middle(cubic + 3, cubic)

    assert grade(-800) / grade(40) == pytest.approx(11, rel=0.1)
    assert grade(800) / grade(40) == pytest.approx(13, rel=0.1)


def test_the_power_makes_large_ones_less_than_proportional():
    half = ErrorSpread(noise=0, steep=1, curved=0, changed=0, power=0.5, lung=1, bone=1)
    one, four = (half.of(FLAT + k * Z, FLAT, (0,), 0)[12, 10, 9] for k in (30, 120))
    assert four / one == pytest.approx(2, rel=0.01)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_map_is_the_same_by_the_part_and_on_the_results_grid(axis, monkeypatch):
    monkeypatch.setattr("CTSuperResolutionLib.trust.error_map.VOXELS_AT_ONCE", 16 * 11 * 20)  # 12 rows and those around
    rng = np.random.default_rng(0)
    sr, cubic = (rng.normal(0, 300, (37, 30, 11)).astype(np.float32) for _ in range(2))
    expected = 1.5 * SPREAD.of(sr, cubic, [axis], 6)
    grid = ((1.0, 0.5, 0.7), (1.0, 2.0, 3.0), DIRECTION)
    found = error_volume(Volume(sr, *grid), Volume(cubic, *grid), replace(TEST, axis=axis))
    assert (found.shape, found.spacing, found.origin) == (sr.shape, *grid[:2])
    assert np.allclose(np.array(found.array), expected, rtol=1e-5)
    assert [plane.shape for plane in found.array] == [(30, 11)] * 37


def test_the_map_of_slabs_in_files_is_that_of_the_whole(tmp_path):
    rng = np.random.default_rng(0)
    volumes = [rng.normal(0, 300, (21, 12, 11)).astype(np.int16) for _ in range(2)]
    stored = []
    for name, volume in zip(("sr", "cubic"), volumes, strict=True):
        files = [tmp_path / f"{name}-{k}.npy" for k in range(2)]
        for file, slab in zip(files, (volume[:9], volume[9:]), strict=True):
            np.save(file, slab)
        stored.append(StoredArray(files, 0))
    assert np.allclose(np.array(ErrorMap(*stored, TEST)), 1.5 * SPREAD.of(*volumes, [0], 6), rtol=1e-5)


def test_by_tissue_are_the_means_of_its_voxels():
    scan = np.full((8, 20, 20), 40.0, np.float32)
    scan[:, :, 10:] = -850
    scan = Volume(scan, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), DIRECTION)
    error = np.where(scan.array > -500, 20, 200).astype(np.float32)
    found = error_by_tissue(iter(error), planes(region_labels(scan), error.shape))
    assert found["soft_tissue"] == {"mean_half_width_hu": 20.0, "above_150_percent": 0.0}
    assert found["lung"] == {"mean_half_width_hu": 200.0, "above_150_percent": 100.0}
    assert found["everywhere"] == {"mean_half_width_hu": 110.0, "above_150_percent": 50.0}
    assert found["bone"] is None
