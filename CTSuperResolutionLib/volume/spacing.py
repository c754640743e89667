"""Slice spacing of a series: regular, interrupted where slices are missing, in blocks of a spacing each, or uneven."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

UNEVEN_TOLERANCE = 0.1
"""Largest distance of a slice from its place on the regular grid, in steps."""

ROUNDING_MM = 0.101
"""Distance allowed besides: some scanners write tenths of a millimetre, for this slice and for the grid's ends."""

ROUNDING_LIMIT = 0.35
"""Steps that no rounding excuses: one slice missing from 9 or more moves another by 0.375 steps or more."""

MULTIPLE_TOLERANCE = 0.2
"""Where slices are missing, every step is a whole number of the usual ones, to this share of one."""

BLOCK_STEPS = 3
"""Fewest equal steps in a row that make a block."""

SAME_STEP = 0.03
"""Relative difference of steps that are the same, or what rounding allows."""


@dataclass(frozen=True)
class Block:
    """Neighbouring slices with one spacing.

    Attributes:
        start, stop: of its slices, in order along the normal, stop excluded. step: mm.
    """

    start: int
    stop: int
    step: float


def is_even(heights: np.ndarray) -> bool:
    """Whether slices at those heights (n,), mm, in rising order, lie on a regular grid between the first and last."""
    step = mean_step(heights)
    uneven = np.abs(heights - heights[0] - step * np.arange(len(heights))).max()
    return bool(uneven <= max(UNEVEN_TOLERANCE * step, min(ROUNDING_MM, ROUNDING_LIMIT * step)))


def mean_step(heights: np.ndarray) -> float:
    """The mean distance of slices at those heights, mm."""
    return float(heights[-1] - heights[0]) / (len(heights) - 1)


def count_missing(steps: np.ndarray) -> tuple[int, int] | None:
    """How many slices are missing, about, and after which slice, from 0, the first of them are.

    None where the steps (n,), mm, do not look as if slices were missing: they are no multiples of the usual one.
    """
    usual = float(np.median(steps))
    multiples = np.round(steps / usual)
    apart = np.abs(steps - multiples * usual)
    if multiples.min() < 1 or multiples.max() < 2 or apart.max() > max(MULTIPLE_TOLERANCE * usual, ROUNDING_MM):
        return None
    return int((multiples - 1).sum()), int(np.argmax(multiples > 1))


def find_blocks(heights: np.ndarray, thicknesses: Sequence[float | None]) -> list[Block]:
    """Blocks of slices with a spacing each, at least two; empty where the slices are not made up of such blocks.

    Args:
        heights: (n,), mm, in rising order.
        thicknesses: of the slices, mm, which decide whose the slice between two blocks is.
    """
    runs: list[list[int]] = []  # of equal steps: first step, count
    steps = np.diff(heights)
    for k, step in enumerate(steps):
        if runs and abs(step - steps[runs[-1][0]]) <= max(SAME_STEP * step, 2 * ROUNDING_MM if step > 1 else 0.0):
            runs[-1][1] += 1
        else:
            runs.append([k, 1])
    long = [run for run in runs if run[1] >= BLOCK_STEPS]
    if len(long) < 2 or any(1 < run[1] < BLOCK_STEPS for run in runs) or len(runs) > 2 * len(long) - 1:
        return []
    blocks: list[Block] = []
    for first, count in long:
        step = float(heights[first + count] - heights[first]) / count
        if blocks and abs(step - blocks[-1].step) <= SAME_STEP * step:
            return []  # one spacing, interrupted
        start = first
        if blocks and blocks[-1].stop > first:  # the slice that ends a block begins the next
            if thicknesses[first] is not None and thicknesses[first] == thicknesses[first + 1]:
                blocks[-1] = Block(blocks[-1].start, first, blocks[-1].step)
            else:
                start = first + 1
        blocks.append(Block(start, first + count + 1, step))
    if blocks[0].start > 0 or blocks[-1].stop < len(heights):
        return []
    return blocks
