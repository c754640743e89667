"""Structure that was invented in a volume, or lost, is found where that was done."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage as ndi

from CTSuperResolutionLib.audit.structure import INVENTED, LOST, audit_structure
from CTSuperResolutionLib.job.events import Progress

SHAPE = (64, 72, 80)
LEFT = (slice(8, 40), slice(8, 40), slice(4, 36))
RIGHT = (slice(24, 60), slice(36, 68), slice(44, 78))


def texture(seed: int, size: float) -> np.ndarray:
    """Structure of about that size in voxels, standard deviation 100 HU."""
    found = ndi.gaussian_filter(np.random.default_rng(seed).normal(0, 1, SHAPE), size)
    return 100 * found / found.std()


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    return texture(0, 1.2)


def test_a_volume_that_is_the_truth_is_clean_and_cubic_s_worst_patches_are_the_scale(truth) -> None:
    cubic = ndi.gaussian_filter(truth, 1.5)
    found, flagged = audit_structure({"cubic": cubic, "sr": truth}, truth, (1.0, 1.0, 1.0), Progress())
    assert (found["sr"].invented, found["sr"].lost) == (0, 0) and not flagged.any()
    assert found["cubic"].patches == found["sr"].patches > 100
    assert found["cubic"].invented + found["cubic"].lost <= 0.06 * found["cubic"].patches
    assert found["sr"].agreement == pytest.approx(0.5, abs=0.03) and found["cubic"].agreement < 0.5


def test_what_was_put_in_is_invented_and_what_was_blurred_away_is_lost(truth) -> None:
    cubic = truth + 0.3 * texture(1, 0.7)  # agrees with the truth up to a frequency
    sr = truth.copy()
    sr[LEFT] = (0.5 * truth + 1.5 * texture(2, 1.2))[LEFT]
    sr[RIGHT] = (0.05 * ndi.gaussian_filter(truth, 4) + 0.02 * texture(3, 1.0))[RIGHT]
    found, flagged = audit_structure({"cubic": cubic, "sr": sr}, truth, (1.0, 1.0, 1.0), Progress())
    inner = [tuple(slice(part.start + 10, part.stop - 10) for part in box) for box in (LEFT, RIGHT)]
    assert np.mean(flagged[inner[0]] == INVENTED) > 0.9
    assert np.mean(flagged[inner[1]] == LOST) > 0.9
    assert found["sr"].invented > 5 and found["sr"].lost > 5
    assert not flagged[:, :11, 61:].any()  # farther from both than a patch is wide


def test_flat_patches_and_a_volume_smaller_than_a_patch_are_not_judged() -> None:
    flat = np.random.default_rng(0).normal(40, 5, SHAPE)
    found, flagged = audit_structure({"cubic": flat, "sr": flat}, flat, (1.0, 1.0, 1.0), Progress())
    assert found["sr"].patches == 0 and not flagged.any() and found["sr"].report()["invented_percent"] == 0
    small = texture(0, 1)[:8, :8, :8]
    assert audit_structure({"cubic": small, "sr": small}, small, (1.0, 1.0, 1.0), Progress())[0]["sr"].patches == 0


def test_a_thick_axis_has_patches_of_the_same_size_in_millimetres(truth) -> None:
    found, _ = audit_structure({"cubic": truth, "sr": truth}, truth, (1.0, 1.0, 1.0), Progress())
    coarse = truth[::4]
    thick, _ = audit_structure({"cubic": coarse, "sr": coarse}, coarse, (4.0, 1.0, 1.0), Progress())
    assert 0 < thick["sr"].patches < found["sr"].patches
