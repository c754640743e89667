"""Acquisition tags: slice thickness, slice spacing and convolution kernel, as far as a scan's header states them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

SAME_THICKNESS_MM = 0.01
EQUAL = 1e-3  # how far the sides of a square pixel may differ, of their length
THICKEST = 3.0
"""Slices thicker than this many spacings are no reconstruction of one scan: the tag is wrong."""

DICOM_ENTRY = "DICOM."
"""What the key of an entry of a file's header begins with that has the value of a DICOM attribute, as Slicer's have."""

MEASURED_ENTRY = "CTSR_measured"
"""Key of the entry of a part of a scan that says what was measured in all of it, see :func:`measured_widths`."""


@dataclass(frozen=True)
class MeasuredWidth:
    """Point-spread function that was measured along one axis: family, FWHM and its error in mm, and from how much."""

    family: str
    fwhm: float
    error: float
    profiles: int


Widths = tuple[MeasuredWidth | None, MeasuredWidth | None, MeasuredWidth | None]


@dataclass(frozen=True)
class AcquisitionTags:
    """What the header of a scan says of its acquisition; None where it says nothing that can be.

    Attributes:
        slice_thickness: nominal slice thickness, mm (0018,0050).
        spacing_between_slices: distance of slice centres, mm (0018,0088).
        convolution_kernel: name of the reconstruction kernel (0018,1210).
        measured: along (z, y, x), where the file is a part of a scan that was measured whole.
        contradictions: sentences on tags that cannot be and are left out.
    """

    slice_thickness: float | None = None
    spacing_between_slices: float | None = None
    convolution_kernel: str | None = None
    measured: Widths | None = field(default=None, repr=False)
    contradictions: tuple[str, ...] = ()

    @classmethod
    def of_slices(cls, tags: Sequence[AcquisitionTags], spacing: float) -> AcquisitionTags:
        """What all slices of a series agree on and their distance, mm, does not contradict."""
        kernels = {t.convolution_kernel for t in tags}
        thickness, between = [t.slice_thickness for t in tags], [t.spacing_between_slices for t in tags]
        agreed = cls(_common(thickness), _common(between), kernels.pop() if len(kernels) == 1 else None)
        if agreed.slice_thickness is None and any(value is not None for value in thickness):
            agreed = replace(
                agreed, contradictions=("The slices do not state one thickness for all of them, so none is used.",)
            )
        return agreed.consistent(spacing)

    @classmethod
    def of_entries(cls, entries: Mapping[str, str]) -> AcquisitionTags:
        """What key/value pairs of an image file state; text that is no such value says nothing."""
        thickness, between = (
            _number(entries.get(f"{DICOM_ENTRY}{name}")) for name in ("SliceThickness", "SpacingBetweenSlices")
        )
        kernel = entries.get(f"{DICOM_ENTRY}ConvolutionKernel") or None
        return cls(thickness, between, kernel, measured_widths(entries.get(MEASURED_ENTRY, "")))

    def consistent(self, spacing: float) -> AcquisitionTags:
        """The tags that the distance of the slices, mm, does not contradict, and sentences on the others.

        A thickness that is not above 0, or above ``THICKEST`` distances, is left out, as is a stated distance that is
        not theirs.
        """
        thickness, between = self.slice_thickness, self.spacing_between_slices
        found = list(self.contradictions)
        if thickness is not None and not 0 < thickness <= THICKEST * spacing:
            found.append(
                f"The header states a slice thickness of {thickness:g} mm, which slices {spacing:.4g} mm apart cannot "
                "have, so it is not used."
            )
            thickness = None
        if between is not None and not abs(between - spacing) <= 0.1 * spacing:
            found.append(
                f"The header states a spacing between slices of {between:g} mm where their positions are "
                f"{spacing:.4g} mm apart, so the positions are used."
            )
            between = None
        return replace(self, slice_thickness=thickness, spacing_between_slices=between, contradictions=tuple(found))

    @property
    def stated(self) -> dict[str, float | str]:
        """The tags that say something, by name."""
        names = ("slice_thickness", "spacing_between_slices", "convolution_kernel")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


def stack_axis(spacing: Sequence[float]) -> int:
    """The axis along which slices follow each other in a volume whose header speaks of slices, spacing mm (z, y, x).

    Pixels of CT are square: where two spacings are equal, slices follow along the third, as in a sagittally stored
    scan. Along z otherwise.
    """
    z, y, x = spacing
    for axis, (along, one, other) in ((1, (y, z, x)), (2, (x, z, y))):
        if math.isclose(one, other, rel_tol=EQUAL) and not math.isclose(along, one, rel_tol=EQUAL):
            return axis
    return 0


def measured_widths(text: str) -> Widths | None:
    """What an entry says was measured in the whole scan; None where it is not of the form of that entry.

    The form is a JSON object with "z", "y" and "x", each null or an object of ``family``, ``fwhm_mm``, ``error_mm``
    and ``profiles``.
    """
    try:
        z, y, x = _widths(json.loads(text))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    return z, y, x


def _widths(stated: Mapping[str, Mapping[str, object] | None]) -> Iterator[MeasuredWidth | None]:
    for axis in "zyx":
        one = stated[axis]
        if one is None:
            yield None
            continue
        family, profiles = one["family"], one["profiles"]
        fwhm, error = _number(one["fwhm_mm"]), _number(one["error_mm"])
        if family not in ("gaussian", "triangle", "box") or fwhm is None or error is None or not fwhm > 0 <= error:
            raise ValueError
        yield MeasuredWidth(str(family), fwhm, error, int(profiles))  # type: ignore[call-overload]


def _number(value: object) -> float | None:
    """A finite number, or a text of one; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | float | int):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _common(values: Sequence[float | None]) -> float | None:
    stated = [value for value in values if value is not None]
    if len(stated) < len(values) or not stated or max(stated) - min(stated) > SAME_THICKNESS_MM:
        return None
    return stated[0]
