"""Padding: voxels that no scanner measured, recognised by their tag, by a flat spike of values, or by their place.

Four kinds are told apart from what was measured:

- *Stated*: the value that DICOM's PixelPaddingValue names. If matter may have it, only where it spreads from a
  slice's border.
- *Below air*: one value of many voxels, flat and far below air (−2000, −3024), whatever is below −1500 HU, and
  mixtures of that value with tissue that resampling made.
- *Outside the field of view*: voxels that have one value in all slices, where they end in the arc of a circle or
  a straight edge, and end sharply: what is scanned ends in a blur. Air that was clipped to one value stays.
- *Masked*: one flat value among noise that is neither the lowest (clipped air) nor the highest.

Saturated metal, a flat spike at the highest value, was not measured either; its values stay.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi

from CTSuperResolutionLib.volume.checks import AIR_HU, PADDING_HU

BELOW_AIR_HU = -1100.0
"""A flat spike below this is padding. The undershoot of sharp kernels comes this low, but not flat."""

SPIKE_SHARE = 1e-4
"""Least share of a volume's voxels that are flat, of one value, to be a spike."""

FLAT_SHARE = 0.8
"""Least share of a mask's voxels whose neighbours have its value as well; of noise, hardly any have."""

MIXED = 0.15
"""A voxel this share of the way from air to padding, beside padding, is a mixture that resampling made."""

MIXED_SHARE = 0.05
"""Share of the voxels beside padding that are such mixtures where a volume was resampled."""

AIR_RANGE_HU = -950.0
"""Flat spikes from BELOW_AIR_HU to here may be air that was clipped to one value."""

NOISY_SHARE = 1e-3
"""Most flat voxels, as a share of all, of a volume that is noisy."""

GREY_GAP = 0.05
"""Least distance of padding from the lowest other value, as a share of the range of those, where there are no HU."""

SATURATED_VOXELS = 4
"""Fewest flat voxels at the highest value that show it to be where the scale ends."""

SATURATED_HU = 2900.0
"""Flat spikes at the highest value are saturated metal from here on: 12 bits end at 3071 HU."""

ARC_TOLERANCE = 0.75
"""Distance of the field of view's edge from an arc of a circle, in voxels, that 95 % of it keep."""

SHARP = 0.75
"""Least contrast of the first voxels inside the field of view to that of the next ones. A scanned edge has less."""

EDGE_VOXELS = 24
"""Fewest voxels of an edge from which an arc can be told."""


class PaddingEvidence:
    """What whole planes say of padding, gathered one plane at a time, so that a region can be read by itself.

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
                outside = field_of_view_padding(candidate.constant[axis], candidate.contrast[axis], inner)
                if outside is not None:
                    found.append((axis, outside))
        return found

    def is_mask(self, value: float) -> bool:
        """Whether a spike stands alone in a volume that is otherwise noisy, neither at its top nor where air is."""
        others = sum(count for other, count in self._flat.items() if other > AIR_RANGE_HU and other != value)
        return AIR_RANGE_HU < value < self._highest and others <= NOISY_SHARE * self._voxels

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
        differs = np.abs(plane - self.value)
        same = differs == 0
        self.constant[0] &= same
        self.contrast[0] += differs
        for axis in (1, 2):  # lines along y, then along x
            self.constant[axis][index] = same.all(axis - 1)
            self.contrast[axis][index] = differs.sum(axis - 1)


def field_of_view_padding(constant: np.ndarray, contrast: np.ndarray, spacing: Sequence[float]) -> np.ndarray | None:
    """The part of a plane that lies outside a scanner's field of view; None where there is none.

    Args:
        constant: bool (rows, columns), where all planes have one value, the padding's.
        contrast: by how much the planes differ from that value, summed over them, (rows, columns).
        spacing: of rows and columns, mm.
    """
    outside = _from_border(constant)
    if not outside.any() or outside.all():
        return None
    first = ndi.binary_dilation(outside) & ~outside
    if np.count_nonzero(first) < EDGE_VOXELS or not _is_arc(first, outside, spacing):
        return None
    second = ndi.binary_dilation(first | outside) & ~first & ~outside
    if not second.any() or contrast[first].mean() < SHARP * contrast[second].mean():
        return None
    return outside


def _is_arc(edge: np.ndarray, outside: np.ndarray, spacing: Sequence[float]) -> bool:
    """Whether an edge is an arc about what is inside, or straight: a least-squares circle (Kåsa, 1976)."""
    points = np.argwhere(edge) * np.asarray(spacing)
    middle = points.mean(0)
    y, x = (points - middle).T
    system = np.column_stack([y, x, np.ones(len(points))])
    solution, _, rank, _ = np.linalg.lstsq(system, y * y + x * x, rcond=None)
    if rank < 3:
        return False
    centre = solution[:2] / 2
    radius = float(np.sqrt(max(solution[2] + centre @ centre, 0)))
    distances = np.linalg.norm(np.argwhere(np.ones_like(edge)) * np.asarray(spacing) - middle - centre, axis=1)
    distances = distances.reshape(edge.shape)
    off = np.abs(distances[edge] - radius)
    voxel = float(np.max(spacing))
    # Padding lies beyond the arc, and the arc is no small hole.
    beyond = distances[outside] >= radius - voxel
    return bool(np.quantile(off, 0.95) <= ARC_TOLERANCE * voxel and beyond.all() and radius > 8 * voxel)


@dataclass(frozen=True, eq=False)
class Padding:
    """The voxels of a volume that no scanner measured, bool arrays (z, y, x).

    Attributes:
        outside: padding and masks. saturated: metal beyond the scanner's scale.
    """

    outside: np.ndarray
    saturated: np.ndarray


def stated_padding(plane: np.ndarray, low: float, high: float) -> np.ndarray:
    """Where a slice (y, x), HU, is padding by its tag, as bool: values from ``low`` to ``high``.

    Values that matter may have are padding only where they spread from the slice's border: air that was clipped to
    -1024 has the value of padding in many a scan.
    """
    stated = (plane >= low) & (plane <= high)
    if high < AIR_HU:
        return stated
    return _from_border(stated) | (stated & (plane < AIR_HU))


def _from_border(plane: np.ndarray) -> np.ndarray:
    """The parts of a bool plane that touch its border."""
    labels, _ = ndi.label(plane)
    border = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    return np.isin(labels, border[border > 0])


def find_padding(array: np.ndarray, known: np.ndarray, evidence: PaddingEvidence) -> Padding:
    """Recognise the padding of a scan in HU.

    Args:
        array: HU, (z, y, x), possibly a region of the planes that the evidence is of.
        known: bool, padding by its tag or by its place. Changed in place, and part of the result.
        evidence: of all planes.
    """
    spikes = evidence.spikes()
    below = [value for value in spikes if value < BELOW_AIR_HU]
    for part, outside in zip(array, known, strict=True):
        outside |= part < PADDING_HU
        for value in below:
            outside |= part == value
    if below:
        _add_mixtures(array, known, min(below))
    for value in spikes:
        if evidence.is_mask(value):
            same = array == value
            flat = same[:, 1:, 1:] & same[:, :-1, 1:] & same[:, 1:, :-1]
            if np.count_nonzero(flat) > FLAT_SHARE * np.count_nonzero(same):
                known |= same
    highest = float(array.max())
    if highest >= SATURATED_HU and evidence.flat_count(highest) >= SATURATED_VOXELS:
        return Padding(known, (array == highest) & ~known)
    return Padding(known, np.zeros_like(known))


def find_grey_padding(array: np.ndarray, known: np.ndarray, evidence: PaddingEvidence) -> Padding:
    """Recognise the padding of a volume that is not in HU: known padding, and a flat spike far below all else."""
    lowest, highest = float(array.min()), float(array.max())
    if lowest in evidence.spikes():
        same = array == lowest
        if not same.all():
            others = zip(array, same, strict=True)
            second = min(float(part.min(where=~is_same, initial=np.inf)) for part, is_same in others)
            if second - lowest > GREY_GAP * (highest - second) and highest > second:
                known |= same
    return Padding(known, np.zeros_like(known))


def _add_mixtures(array: np.ndarray, outside: np.ndarray, padding: float) -> None:
    """Add what resampling made of padding and tissue to padding in place, if the volume was resampled.

    Mixtures below air are known by their value. Those above are beside them: one more layer, or two where the
    interpolation overshot the padding's own value, as cubic does.
    """
    mixed, beside = 0, 0
    for part, out in zip(array, outside, strict=True):
        near = ndi.binary_dilation(out) & ~out
        beside += np.count_nonzero(near)
        mixed += np.count_nonzero(near & (part < AIR_HU + MIXED * (padding - AIR_HU)))
    if mixed <= MIXED_SHARE * beside:
        return
    layers = 2 if any(bool((part < padding).any()) for part in array) else 1
    neighbours = ndi.generate_binary_structure(3, 3)
    outside |= ndi.binary_propagation(outside, neighbours, mask=outside | (array < AIR_HU))
    outside |= ndi.binary_dilation(outside, neighbours, iterations=layers)
