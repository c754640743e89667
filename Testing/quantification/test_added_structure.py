"""What was added, by tissue, on volumes in which it was put there."""

from __future__ import annotations

import numpy as np
import pytest

from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.quantification.added_structure import added_by_tissue, region_labels

TYPICAL = {"air": -1000.0, "lung": -850.0, "fat": -100.0, "soft_tissue": 50.0, "bone": 700.0}
WIDTH = 8


def blocks() -> np.ndarray:
    """Tissues side by side along x."""
    return np.broadcast_to(np.repeat(list(TYPICAL.values()), WIDTH), (10, 12, WIDTH * len(TYPICAL))).copy()


def size(rms: float, above_50: float, above_150: float) -> dict[str, float]:
    return {"rms_hu": rms, "above_50_percent": above_50, "above_150_percent": above_150}


def test_each_tissue_and_the_borders_have_what_was_put_there(volume) -> None:
    scan = blocks()
    fine = scan.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    added = np.zeros(fine.shape)
    added[:, :, 2 * WIDTH : 4 * WIDTH] = np.where(np.arange(fine.shape[0]) % 2, 40.0, -40.0)[:, None, None]  # lung
    added[:, : fine.shape[1] // 2, 6 * WIDTH : 8 * WIDTH] = -200.0  # half of the soft tissue
    for face in range(2 * WIDTH, fine.shape[2], 2 * WIDTH):
        added[:, :, face - 2 : face + 2] = 100.0  # the voxels of the scan beside a face
    target = Method("2").target_grid(scan.shape, (1.0, 1.0, 1.0))
    found = added_by_tissue(fine + added, fine, region_labels(volume(scan)), target)
    assert found["lung"] == pytest.approx(size(40, 0, 0))
    assert found["soft_tissue"] == pytest.approx(size(200 / 2**0.5, 50, 50))
    assert found["borders"] == pytest.approx(size(100, 100, 0))
    for tissue in ("air", "fat", "bone"):
        assert found[tissue] == pytest.approx(size(0, 0, 0))
    everywhere = size(np.sqrt(np.mean(added**2)), *(100 * np.mean(np.abs(added) > level) for level in (50, 150)))
    assert found["everywhere"] == pytest.approx(everywhere)


def test_what_was_not_measured_does_not_count_and_few_voxels_are_no_tissue(volume) -> None:
    scan = blocks()
    valid = np.ones(scan.shape, dtype=bool)
    valid[:, :, 4 * WIDTH :] = False  # the bone
    added = np.where(valid, 30.0, 900.0)
    found = added_by_tissue(scan + added, scan, region_labels(volume(scan, valid=valid)))
    assert found["bone"] is None and found["everywhere"] == pytest.approx(size(30, 0, 0))
    nothing = added_by_tissue(scan, scan, region_labels(volume(scan, valid=np.zeros_like(valid))))
    assert set(nothing.values()) == {None}
