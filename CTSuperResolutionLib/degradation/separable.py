"""Separable linear maps: one matrix along each of the last axes of an array."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from CTSuperResolutionLib.job.events import Progress

SLICES_AT_ONCE = 16
ROWS_AT_ONCE = 64
NEGLIGIBLE = 1e-6
"""Of a row's sum of magnitudes, what its far ends may add up to and be left out: below 0.005 HU of metal."""


@dataclass(frozen=True, eq=False)
class BandedMatrix:
    """A matrix whose weights lie along its diagonal: for some rows at a time the columns that matter to them.

    An operator of a scanner, a spline or an inverse of them reaches some voxels far; the rest of such a matrix is zero
    or so near to it that float32 could not tell.

    Attributes:
        rows, columns: of the whole matrix.
        blocks: (rows, columns, float64 weights) that follow each other, all rows in all.
    """

    rows: int
    columns: int
    blocks: tuple[tuple[slice, slice, np.ndarray], ...]

    @classmethod
    def of(cls, matrix: np.ndarray) -> BandedMatrix:
        """A dense matrix (rows, columns) without what is negligible."""
        rows, columns = matrix.shape
        weights = np.abs(matrix)
        most = NEGLIGIBLE * weights.sum(1, keepdims=True)
        first = (np.cumsum(weights, 1) <= most / 2).sum(1)
        last = columns - (np.cumsum(weights[:, ::-1], 1) <= most / 2).sum(1)
        blocks = []
        for start in range(0, rows, ROWS_AT_ONCE):
            some = slice(start, min(start + ROWS_AT_ONCE, rows))
            wanted = slice(int(first[some].min()), max(int(last[some].max()), int(first[some].min()) + 1))
            blocks.append((some, wanted, matrix[some, wanted]))
        if sum(block.size for _, _, block in blocks) > 0.7 * matrix.size:
            blocks = [(slice(0, rows), slice(0, columns), matrix)]
        return cls(rows, columns, tuple(blocks))

    def along(self, axis: int, array: torch.Tensor) -> torch.Tensor:
        """The matrix applied along an axis of an array, counted from its last, -1."""
        if axis == -1:
            result = array.new_empty(*array.shape[:-1], self.rows)
            flat, out = array.reshape(-1, self.columns), result.view(-1, self.rows)
            for rows, columns, weights in self.blocks:
                torch.mm(flat[:, columns], _like(weights, array).T, out=out[:, rows])
            return result
        # (…, in, rest) as a batch of (in, rest) matrices: no copy of the array to turn an axis around.
        before, after = array.shape[:axis], array.shape[axis + 1 :]
        flat = array.reshape(math.prod(before), self.columns, -1)
        result = array.new_empty(math.prod(before), self.rows, math.prod(after))
        for rows, columns, weights in self.blocks:
            matrix = _like(weights, array).expand(len(flat), -1, -1)
            torch.bmm(matrix, flat[:, columns], out=result[:, rows])
        return result.reshape(*before, self.rows, *after)


def apply_along_axes(
    matrices: Sequence[np.ndarray | None], array: torch.Tensor, progress: Progress | None = None
) -> torch.Tensor:
    """Apply ``matrices[k]`` (out, in) along axis ``k - len(matrices)`` of an array; None leaves an axis alone.

    Axes that shrink go first, so that the work and memory in between stay small. ``progress`` advances by one for each
    matrix.
    """
    return _apply([None if m is None else BandedMatrix.of(m) for m in matrices], array, progress)


def apply_by_slices(
    matrices: Sequence[np.ndarray | None], array: torch.Tensor, progress: Progress | None = None
) -> Iterator[tuple[slice, torch.Tensor]]:
    """As :func:`apply_along_axes` to all axes of an array, some slices of the result at a time: which, and they.

    Where the result is larger than the array, little memory is needed beside these slices. ``progress`` advances by
    one in all.
    """
    first, *others = matrices
    count = len(array) if first is None else len(first)
    parts = (progress or Progress()).in_parts(math.ceil(count / SLICES_AT_ONCE))
    beside = [None if m is None else BandedMatrix.of(m) for m in others]
    for start in range(0, count, SLICES_AT_ONCE):
        some = slice(start, min(start + SLICES_AT_ONCE, count))
        if first is None:
            yield some, _apply([None, *beside], array[some])
        else:
            yield some, _apply([BandedMatrix.of(first[some]), *beside], array)
        parts.advance()


def _apply(
    matrices: Sequence[BandedMatrix | None], array: torch.Tensor, progress: Progress | None = None
) -> torch.Tensor:
    present = [(k, m) for k, m in enumerate(matrices) if m is not None]
    for k, matrix in sorted(present, key=lambda entry: entry[1].rows / entry[1].columns):
        array = matrix.along(k - len(matrices), array)
        if progress is not None:
            progress.advance()
    return array


def _like(weights: np.ndarray, array: torch.Tensor) -> torch.Tensor:
    return torch.as_tensor(weights, dtype=array.dtype, device=array.device)
