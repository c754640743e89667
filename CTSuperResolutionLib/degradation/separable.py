"""Separable linear maps: one matrix along each of the last axes of an array."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from CTSuperResolutionLib.job.events import Progress

SLICES_AT_ONCE = 16


def apply_along_axes(
    matrices: Sequence[np.ndarray | None], array: torch.Tensor, progress: Progress | None = None
) -> torch.Tensor:
    """Apply ``matrices[k]`` (out, in) along axis ``k - len(matrices)`` of an array; None leaves an axis alone.

    Axes that shrink go first, so that the work and memory in between stay small. ``progress`` advances by one for each
    matrix.
    """
    present = [(k, m) for k, m in enumerate(matrices) if m is not None]
    for k, values in sorted(present, key=lambda entry: entry[1].shape[0] / entry[1].shape[1]):
        matrix = torch.as_tensor(values, dtype=array.dtype, device=array.device)
        axis = k - len(matrices)
        if axis == -1:
            array = array @ matrix.T
        else:
            # (…, in, rest) as a batch of (in, rest) matrices: no copy of the array to turn an axis around.
            rest = array.shape[axis + 1 :]
            flat = array.reshape(*array.shape[:axis], array.shape[axis], -1)
            array = (matrix @ flat).reshape(*array.shape[:axis], matrix.shape[0], *rest)
        if progress is not None:
            progress.advance()
    return array


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
    for start in range(0, count, SLICES_AT_ONCE):
        some = slice(start, min(start + SLICES_AT_ONCE, count))
        if first is None:
            yield some, apply_along_axes([None, *others], array[some])
        else:
            yield some, apply_along_axes([first[some], *others], array)
        parts.advance()
