"""Padding: voxels that no scanner measured, recognised by their tag, by a flat spike of values, or by their place.

Four kinds are told apart from what was measured:

- *Stated*: the value that DICOM's PixelPaddingValue names. If matter may have it, only where it spreads from a
  slice's border.
- *Below air*: one value of many voxels, flat and far below air (−2000, −3024), whatever is below −1500 HU, and
  mixtures of that value with tissue that resampling made.
- *Outside the field of view*: voxels that have one value in all slices, where they end in the arc of a circle,
  and end sharply: what is scanned ends in a blur. Air that was clipped to one value stays.
- *Masked*: one flat value among noise that is neither that of clipped air nor the highest.

Saturated metal, a flat spike at the highest value, was not measured either; its values stay.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi

from CTSuperResolutionLib.volume.checks import AIR_HU, PADDING_HU
from CTSuperResolutionLib.volume.field_of_view import from_border
from CTSuperResolutionLib.volume.padding_evidence import AIR_RANGE_HU, PaddingEvidence

BELOW_AIR_HU = -1100.0
"""A flat spike below this is padding. The undershoot of sharp kernels comes this low, but not flat."""

FLAT_SHARE = 0.8
"""Least share of the voxels of a mask's value that lie in flat parts; of noise, hardly any do."""

MIXED = 0.15
"""A voxel this share of the way from air to padding, beside padding, is a mixture that resampling made."""

MIXED_SHARE = 0.05
"""Share of the voxels beside padding that are such mixtures where a volume was resampled."""

GREY_GAP = 0.05
"""Least distance of padding from the lowest other value, as a share of the range of those, where there are no HU."""

SATURATED_VOXELS = 4
"""Fewest flat voxels at the highest value that show it to be where the scale ends."""

SATURATED_HU = 2900.0
"""Flat spikes at the highest value are saturated metal from here on: 12 bits end at 3071 HU."""


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
    return from_border(stated) | (stated & (plane < AIR_HU))


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
        if value <= AIR_RANGE_HU:
            continue
        same = array == value
        if evidence.is_mask(value, 1 - float((known | same).mean())):
            flat = _flat_parts(same)
            if np.count_nonzero(flat) > FLAT_SHARE * np.count_nonzero(same):
                known |= flat
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


def _flat_parts(same: np.ndarray) -> np.ndarray:
    """The voxels (z, y, x) that are part of a square of 2 x 2 in their plane; noise has a value alone."""
    squares = same[:, :-1, :-1] & same[:, 1:, :-1] & same[:, :-1, 1:] & same[:, 1:, 1:]
    flat = np.zeros_like(same)
    for y in (slice(None, -1), slice(1, None)):
        for x in (slice(None, -1), slice(1, None)):
            flat[:, y, x] |= squares
    return flat


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
    lean = array < AIR_HU + MIXED / 3 * (padding - AIR_HU)  # noise of air does not come there
    outside |= ndi.binary_propagation(outside, neighbours, mask=outside | lean)
    outside |= ndi.binary_dilation(outside, neighbours, iterations=layers)
