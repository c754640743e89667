"""Slice thickness: what header, scan and user say of it, in one sentence.

Standard library only: the panel, in Slicer's process, says the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from CTSuperResolutionLib.volume.acquisition_tags import stack_axis

CONTRADICTION = 0.25
"""Share of the header's thickness by which a measured one may differ."""

OF_GIVEN = 0.15
"""Share of a thickness that the user set by which it may: widths that are measured are right to a tenth."""

ERRORS = 2.0
"""Standard errors by which it may differ besides."""


@dataclass(frozen=True)
class SliceThickness:
    """How thick the slices of a scan are, mm; None where that source says nothing.

    Attributes:
        spacing: mm between the slices.
        header: nominal thickness that the header states.
        measured, error: full width at half maximum that the scan's own edges show, and its standard error.
        edges: full width that few edges show, not enough to measure, where the header states far more.
        given: full width that the user set.
    """

    spacing: float
    header: float | None = None
    measured: float | None = None
    error: float = 0.0
    edges: float | None = None
    given: float | None = None

    @classmethod
    def of_report(cls, spacing: float, found: Mapping[str, Any]) -> SliceThickness:
        """Of the report on an axis in result.json, see :meth:`.AxisAcquisition.report`."""
        return cls(
            spacing,
            header=found.get("header_mm"),
            measured=found.get("measured_mm"),
            error=found.get("measured_error_mm", 0.0),
            edges=found.get("edges_mm"),
            given=found.get("fwhm_mm") if found.get("source") == "set" else None,
        )

    @property
    def sentence(self) -> str:
        """All that is known, without a full stop.

        >>> SliceThickness(5.0, header=5.0, measured=4.62, error=0.38).sentence
        'slices 5.0 mm thick by the header, 4.6 ± 0.4 measured'
        """
        parts = []
        if self.given is not None:
            parts.append(f"{self.given:.1f} mm thick as set")
        if self.header is not None:
            parts.append(f"{self.header:.1f} {'' if parts else 'mm thick '}by the header")
        if self.measured is not None:
            parts.append(f"{self._measured_text} {'' if parts else 'mm thick as '}measured")
        if self.edges is not None:
            parts.append(f"at most {self.edges:.1f} by the edges")
        return f"slices {', '.join(parts)}" if parts else f"slices {self.spacing:.1f} mm apart, thickness unknown"

    @property
    def contradiction(self) -> str | None:
        """A sentence where the scan shows another thickness than the user set or the header says; None otherwise."""
        if self.header is not None and self.edges is not None:
            return (
                f"The header says that slices are {self.header:.1f} mm thick and the scan's few edges allow at most "
                f"{self.edges:.1f} mm; that is used."
            )
        if self._contradicted(self.given, OF_GIVEN):
            return (
                f"Slices are set to be {self.given:.1f} mm thick and the scan shows {self._measured_text} mm; what was "
                "set is used, and one that is too large can make a result worse than cubic."
            )
        if not self._contradicted(self.header, CONTRADICTION):
            return None
        used = "the one that was set" if self.given is not None else "what the scan shows"
        return (
            f"The header says that slices are {self.header:.1f} mm thick and the scan shows {self._measured_text} mm; "
            f"{used} is used."
        )

    def _contradicted(self, said: float | None, share: float) -> bool:
        """Whether the scan shows another thickness than somebody says, by more than a share of that."""
        if said is None or self.measured is None:
            return False
        return abs(self.measured - said) > max(share * said, ERRORS * self.error)

    @property
    def _measured_text(self) -> str:
        return f"{self.measured:.1f} ± {max(1, math.ceil(10 * self.error - 1e-6)) / 10:.1f}"


def slice_axis(spacing: Sequence[float], thickness: float | None) -> int:
    """The axis along which slices follow each other, of a spacing (z, y, x).

    Where a header states a thickness that of the stack, see :func:`.stack_axis`; otherwise that of the largest spacing.
    """
    return stack_axis(spacing) if thickness is not None else list(spacing).index(max(spacing))
