"""Look of a reader at one trial: what the log keeps of it beside the answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Look:
    """Slices by plane, windows in their order, and the last zoom.

    Attributes:
        zoom: size of a pixel, mm; None before anything was shown.
    """

    def __init__(self) -> None:
        self._slices: dict[str, set[int]] = {}
        self._windows: list[tuple[float, float]] = []
        self.zoom: float | None = None

    def see(self, plane: str, index: int) -> None:
        """A slice was on the screen, counted from the image's lower edge."""
        self._slices.setdefault(plane, set()).add(index)

    def show_window(self, centre: float, width: float) -> None:
        """A window was on the screen, HU."""
        if (centre, width) not in self._windows[-1:]:
            self._windows.append((centre, width))

    def to_dict(self) -> dict[str, Any]:
        """For the log: first and last slice of every run of slices, by plane; centre and width of every window."""
        return {
            "slices": {plane: _runs(indices) for plane, indices in self._slices.items()},
            "windows": [list(window) for window in self._windows],
            "zoom_mm": self.zoom,
        }


def _runs(indices: Iterable[int]) -> list[list[int]]:
    """First and last of every run of numbers that follow each other."""
    runs: list[list[int]] = []
    for index in sorted(indices):
        if runs and index == runs[-1][1] + 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return runs
