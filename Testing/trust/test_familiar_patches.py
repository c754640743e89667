"""What looks like none of the CTs that a prior learned from, and what does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from CTSuperResolutionLib.diffusion.prior_folder import FAMILIAR
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.priors import find_prior
from CTSuperResolutionLib.phantom import thorax
from CTSuperResolutionLib.trust.familiar_patches import (
    NAME,
    UNFAMILIAR_PERCENT,
    FamiliarPatches,
    patch_features,
)
from CTSuperResolutionLib.volume.volume import Volume

DIRECTION = (1, 0, 0, 0, 1, 0, 0, 0, 1)


@pytest.fixture(scope="module")
def chest() -> Volume:
    """All of a chest that no prior saw."""
    return thorax(shape=(48, 96, 112), spacing=2.0, seed=5)


@pytest.fixture(scope="module")
def shipped() -> FamiliarPatches:
    found = FamiliarPatches.load(find_prior("shipped"))
    assert found is not None
    return found


def volume(hu: np.ndarray, spacing=(2.0, 2.0, 2.0), valid=None) -> Volume:
    return Volume(hu.astype(np.float32), spacing, (0.0, 0.0, 0.0), DIRECTION, valid)


def test_the_shipped_prior_knows_a_chest_however_it_is_scanned(chest, shipped):
    hu, rng = chest.array, np.random.default_rng(0)
    thick = volume(hu.reshape(12, 4, 96, 112).mean(1), (8.0, 2.0, 2.0))
    coarse = volume(hu.reshape(24, 2, 48, 2, 56, 2).mean((1, 3, 5)), (4.0, 4.0, 4.0))
    sagittal = volume(thick.array.transpose(1, 2, 0), (2.0, 2.0, 8.0))
    noisy = replace(chest, array=(hu + rng.normal(0, 60, hu.shape)).astype(np.float32))
    for scan in (chest, thick, coarse, sagittal, noisy):
        assert shipped.unfamiliar_percent(scan) < UNFAMILIAR_PERCENT / 2


@pytest.mark.parametrize(
    "change", [lambda hu: -hu, lambda hu: hu + 1024, lambda hu: hu / 2], ids=["inverted", "1024 too high", "halved"]
)
def test_values_that_are_no_hu_are_seen(chest, shipped, change):
    assert shipped.unfamiliar_percent(replace(chest, array=change(chest.array))) > 2 * UNFAMILIAR_PERCENT


def test_too_little_says_nothing(chest, shipped):
    assert shipped.unfamiliar_percent(chest.crop((slice(0, 48), slice(0, 9), slice(0, 112)))) is None


def test_what_was_not_measured_says_nothing(chest, shipped):
    hu, valid = chest.array.copy(), np.ones(chest.shape, bool)
    hu[:, :50], valid[:, :50] = 3000, False
    assert shipped.unfamiliar_percent(volume(hu)) > 20
    assert shipped.unfamiliar_percent(volume(hu, valid=valid)) < UNFAMILIAR_PERCENT / 2


def test_patches_lie_in_the_slices_and_are_what_they_are_said_to_be():
    """A chequered plane of 10 × 10 pixels a patch: half of the pixels are fat, half soft tissue."""
    board = np.where(np.add.outer(np.arange(40), np.arange(60)) % 2, -100.0, 100.0)
    features = patch_features(volume(np.stack([board] * 8), (5.0, 2.0, 2.0)))
    assert features.shape == (8 * 4 * 6, 5)
    spread, step = 1.5 * np.log2([2.5 + 0.3, 5.0 + 0.2])
    assert np.allclose(features, [-2.5, 0.0, 2.5, spread, step], atol=1e-5)


def test_ones_own_patches_are_near_and_are_kept_thinned(chest, tmp_path):
    """Those that were left out lie no farther than 0.3 from one that was kept, half precision a little more."""
    own = FamiliarPatches.of([chest, chest])
    all_of_them = patch_features(chest)
    assert 0 < len(own.features) < len(all_of_them) / 2
    own.save(tmp_path)
    read = FamiliarPatches.load(tmp_path)
    distances = np.sqrt(((all_of_them[:, None] - read.features[None]) ** 2).sum(2)).min(1)
    assert distances.max() < 0.31
    assert read.unfamiliar_percent(chest) == 0


def test_those_of_others_are_added(chest, shipped):
    inverted = replace(chest, array=-chest.array)
    both = shipped.and_those_of(FamiliarPatches.of([inverted]))
    assert both.unfamiliar_percent(inverted) == 0 and both.unfamiliar_percent(chest) < UNFAMILIAR_PERCENT / 2
    assert shipped.and_those_of(None) is shipped


def test_a_prior_of_which_nothing_is_known(tmp_path):
    assert FamiliarPatches.load(tmp_path) is None
    FamiliarPatches.of([]).save(tmp_path)
    assert not (tmp_path / FAMILIAR).exists()


HEADER = b'{"patches":{"dtype":"F16","shape":[9000000000,5],"data_offsets":[0,90000000000]}}'


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not an array",
        b"PK\x03\x04 of an archive",
        len(HEADER).to_bytes(8, "little") + HEADER,
        np.zeros((3, 4), np.float16),
        np.zeros((0, 5), np.float16),
        np.zeros(5, np.float16),
        np.full((3, 5), np.nan, np.float16),
        {"others": np.zeros((3, 5), np.float16)},
    ],
    ids=["empty", "text", "archive", "too short", "four numbers", "none", "a line", "not finite", "other name"],
)
def test_a_damaged_file_is_said(tmp_path: Path, content):
    if isinstance(content, bytes):
        (tmp_path / FAMILIAR).write_bytes(content)
    else:
        save_file(content if isinstance(content, dict) else {NAME: content}, tmp_path / FAMILIAR)
    with pytest.raises(JobError, match="train the prior again"):
        FamiliarPatches.load(tmp_path)
