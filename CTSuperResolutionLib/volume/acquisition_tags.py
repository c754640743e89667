"""Acquisition tags: slice thickness, slice spacing and convolution kernel, as far as a DICOM series states them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

SAME_THICKNESS_MM = 0.01
THICKEST = 3.0
"""Slices thicker than this many spacings are no reconstruction of one scan: the tag is wrong."""


@dataclass(frozen=True)
class AcquisitionTags:
    """What the header of a scan says of its acquisition; None where it says nothing that can be.

    Attributes:
        slice_thickness: nominal slice thickness, mm (0018,0050).
        spacing_between_slices: distance of slice centres, mm (0018,0088).
        convolution_kernel: name of the reconstruction kernel (0018,1210).
    """

    slice_thickness: float | None = None
    spacing_between_slices: float | None = None
    convolution_kernel: str | None = None

    @classmethod
    def of_slices(cls, tags: Sequence[AcquisitionTags], spacing: float) -> AcquisitionTags:
        """What all slices of a series agree on and their distance, mm, does not contradict.

        A thickness of more than ``THICKEST`` distances is left out, as is a stated distance that is not theirs.
        """
        thickness = _common([t.slice_thickness for t in tags])
        between = _common([t.spacing_between_slices for t in tags])
        kernels = {t.convolution_kernel for t in tags}
        return cls(
            slice_thickness=thickness if thickness is not None and thickness <= THICKEST * spacing else None,
            spacing_between_slices=between if between is not None and abs(between - spacing) <= 0.1 * spacing else None,
            convolution_kernel=kernels.pop() if len(kernels) == 1 else None,
        )

    @property
    def stated(self) -> dict[str, float | str]:
        """The tags that say something, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}


def positive_length(value: float | None) -> float | None:
    """A length in mm that a tag may state; None where it is not above 0, or no number."""
    return value if value is not None and math.isfinite(value) and value > 0 else None


def _common(values: Sequence[float | None]) -> float | None:
    stated = [value for value in values if value is not None]
    if len(stated) < len(values) or not stated or max(stated) - min(stated) > SAME_THICKNESS_MM:
        return None
    return stated[0]
