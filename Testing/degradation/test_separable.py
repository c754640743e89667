"""Banded matrices: the columns that matter to some rows, and nothing that float32 could tell is left out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from CTSuperResolutionLib.degradation.operator import make_degradation
from CTSuperResolutionLib.degradation.separable import NEGLIGIBLE, BandedMatrix, apply_along_axes, apply_by_slices

AXIS = make_degradation((1200,), (4,)).axes[0]
MATRICES = {"A": AXIS.matrix, "A+": AXIS.smooth_inverse, "A†": AXIS.pseudo_inverse, "dense": AXIS.svd[0].T}


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("axis", [-1, -2, -3])
def test_a_banded_matrix_is_the_dense_one(name: str, axis: int) -> None:
    matrix, shape = MATRICES[name], [2, 3]
    shape.insert(3 + axis, matrix.shape[1])
    array = 3000 * torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = np.moveaxis(np.tensordot(matrix, array.numpy(), (1, 3 + axis)), 0, axis)
    most = NEGLIGIBLE * 3000 * np.abs(matrix).sum(1).max()
    np.testing.assert_allclose(BandedMatrix.of(matrix).along(axis, array).numpy(), expected, rtol=0, atol=most)


def test_only_what_reaches_is_multiplied() -> None:
    def kept(matrix: np.ndarray) -> float:
        return sum(weights.size for _, _, weights in BandedMatrix.of(matrix).blocks) / matrix.size

    assert kept(MATRICES["A"]) < 0.4
    assert kept(MATRICES["A+"]) < 0.4
    assert kept(MATRICES["dense"]) == 1


def test_by_slices_is_all_at_once() -> None:
    matrices = [MATRICES["A+"], None, make_degradation((12,), (3,)).axes[0].smooth_inverse]
    array = torch.rand(300, 2, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    whole = apply_along_axes(matrices, array)
    for some, part in apply_by_slices(matrices, array):
        torch.testing.assert_close(part, whole[some], rtol=0, atol=4 * NEGLIGIBLE)
