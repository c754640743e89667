"""Evidence of padding: what whole planes of a scan say, gathered one at a time, so that a region can be read alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from CTSuperResolutionLib.volume.field_of_view import outside_field_of_view

SPIKE_SHARE = 1e-4
"""Least share of a volume's voxels that are flat, of one value, to be a spike."""

AIR_RANGE_HU = -950.0
"""Flat spikes from BELOW_AIR_HU to here may be air that was clipped to one value."""

NOISY_SHARE = 1e-3
"""Most flat voxels of a noisy volume, as a share of those that are not masked."""

LEAST_REST = 0.05
"""Least share of voxels beside a mask from which noise can be told."""


class PaddingEvidence:
    """What whole planes say of padding.

    Args:
        shape: planes, rows and columns of what is looked at.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        self._shape = tuple(shape)
        self._looked = 0
        self._highest = -np.inf
        self._flat: Counter[float] = Counter()
        self._candidates: list[_Candidate] = []

    def look(self, plane: np.ndarray) -> None:
        """Take the next plane (y, x), float32, into account."""
        if not self._looked:
            corners = {float(plane[y, x]) for y in (0, -1) for x in (0, -1)}
            self._candidates = [_Candidate(value, self._shape) for value in sorted(corners) if np.isfinite(value)]
        flat = (plane[:-1, :-1] == plane[1:, :-1]) & (plane[:-1, :-1] == plane[:-1, 1:])
        values, counts = np.unique(plane[:-1, :-1][flat], return_counts=True)
        self._flat.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
        for candidate in self._candidates:
            candidate.look(plane, self._looked)
        self._highest = max(self._highest, float(plane.max()))
        self._looked += 1

    @property
    def _voxels(self) -> int:
        return int(np.prod(self._shape))

    def spikes(self) -> list[float]:
        """Values that many voxels have beside each other, the most frequent first."""
        least = max(SPIKE_SHARE * self._voxels, 8)
        return [value for value, count in self._flat.most_common(32) if count >= least]

    def outside_view(self, spacing: Sequence[float]) -> list[tuple[int, np.ndarray]]:
        """Where there is only padding in all planes along an axis.

        Args:
            spacing: mm, (z, y, x).

        Returns:
            The axis and a bool array over the other two axes, for each that was found.
        """
        found = []
        for candidate in self._candidates:
            for axis in range(3):
                inner = [spacing[k] for k in range(3) if k != axis]
                outside = outside_field_of_view(candidate.constant[axis], candidate.contrast[axis], inner)
                if outside is not None:
                    found.append((axis, outside))
        return found

    def is_mask(self, value: float, rest: float) -> bool:
        """Whether a spike stands alone in a volume that is otherwise noisy, neither at its top nor where air is.

        Args:
            value: of the spike. rest: share of the voxels that are neither of it nor padding.
        """
        others = sum(count for other, count in self._flat.items() if other > AIR_RANGE_HU and other != value)
        noisy = rest >= LEAST_REST and others <= NOISY_SHARE * rest * self._voxels
        return noisy and AIR_RANGE_HU < value < self._highest

    def flat_count(self, value: float) -> int:
        """How many voxels have that value as two of their neighbours do."""
        return self._flat[value]


class _Candidate:
    """A value of a corner, and where it fills whole lines along each axis."""

    def __init__(self, value: float, shape: tuple[int, ...]) -> None:
        self.value = value
        planes, rows, columns = shape
        shapes = ((rows, columns), (planes, columns), (planes, rows))
        self.constant = [np.ones(s, dtype=bool) for s in shapes]
        self.contrast = [np.zeros(s, dtype=np.float32) for s in shapes]

    def look(self, plane: np.ndarray, index: int) -> None:
        with np.errstate(over="ignore", invalid="ignore"):  # a damaged file's values; they are refused later
            self._compare(plane, index)

    def _compare(self, plane: np.ndarray, index: int) -> None:
        differs = np.abs(plane - self.value)
        same = differs == 0
        self.constant[0] &= same
        self.contrast[0] += differs
        for axis in (1, 2):  # lines along y, then along x
            self.constant[axis][index] = same.all(axis - 1)
            self.contrast[axis][index] = differs.sum(axis - 1)
