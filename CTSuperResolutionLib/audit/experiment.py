"""Experiment with lesions: put into a CT, seen through a simulated scan, and looked for in what is made of that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from CTSuperResolutionLib.audit.lesion_size import AROUND_MM, measured_diameter
from CTSuperResolutionLib.audit.lesions import Lesion, find_sites, with_lesions
from CTSuperResolutionLib.audit.observer import (
    area,
    detectability,
    drawn_places,
    held_out_scores,
    interval,
    laguerre_gauss,
)
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.volume.volume import Volume

WIDTH = 1.5  # of the channels, over the lesion's diameter as the scan blurs it
REACH = 1.2  # of the box that they see, over their width: exp(−π 1.44) = 1 % of their height
CHANNELS = 3  # of each family: one as round as the lesion, one as long as the scan's voxels make it
BASE = "cubic"  # what the others are compared with
FEWEST_SIZES = 5  # places at which a size can be measured, for a median

Upsample = Callable[[Volume, int], Mapping[str, np.ndarray]]
"""What is made of a CT (by way of a simulated scan with the noise of that seed), by method: HU on the CT's grid."""


@dataclass(frozen=True)
class LesionExperiment:
    """Lesions of one kind in a CT.

    Attributes:
        ct: what they are put into, with voxels as fine as those of results.
        lesions: one run each. coarse: mm between the scan's voxels, (z, y, x).
        places: how many copies of a lesion, at most. seed: of places, noise and draws.
    """

    ct: Volume
    lesions: Sequence[Lesion]
    coarse: tuple[float, float, float]
    places: int
    seed: int

    def run(self, upsample: Upsample, progress: Progress) -> list[dict[str, Any]]:
        """Detectability and size error of every lesion by method, as plain values; see :func:`_row`.

        ``progress`` is advanced by one a run: one without lesions, and one for each.

        Raises:
            JobError: there are too few places for the lesions.
        """
        reach = max(self._reach(lesion) for lesion in self.lesions)
        sites = find_sites(self.ct, self.lesions[0].kind, reach, self.places, self.seed)
        absent = upsample(self.ct, self.seed)
        progress.advance()
        rows = []
        for number, lesion in enumerate(self.lesions, 1):
            present = upsample(with_lesions(self.ct, lesion, sites), self.seed + number)
            rows.append(self._row(lesion, sites, present, absent))
            progress.advance()
        return rows

    def _row(
        self, lesion: Lesion, sites: np.ndarray, present: Mapping[str, np.ndarray], absent: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        """Of each method ``d_prime`` and ``size_error_mm`` (value, low, high), ``area`` and ``sized``, the share of
        places at which a size could be measured; ``beyond_cubic``: d' less that of cubic at the same places.
        """
        channels, halves = self._channels(lesion)
        draws = drawn_places(len(sites), self.seed)
        methods: dict[str, Any] = {}
        drawn: dict[str, np.ndarray] = {}
        values: dict[str, float] = {}
        for name in present:
            seen, unseen = (_outputs(volumes[name], sites, channels, halves) for volumes in (present, absent))
            one, none = held_out_scores(seen, unseen)
            values[name], drawn[name] = float(detectability(one, none)), detectability(one[draws], none[draws])
            methods[name] = {
                "d_prime": interval(values[name], drawn[name]).rounded(),
                "area": round(area(one, none), 3),
                **self._sizes(present[name], sites, lesion),
            }
        beyond = {
            name: interval(values[name] - values[BASE], drawn[name] - drawn[BASE]).rounded()
            for name in methods
            if name != BASE
        }
        return {
            "kind": lesion.kind,
            "diameter_mm": lesion.diameter,
            "contrast_hu": lesion.contrast,
            "places": len(sites),
            "methods": methods,
            "beyond_cubic": beyond,
        }

    def _sizes(self, array: np.ndarray, sites: np.ndarray, lesion: Lesion) -> dict[str, Any]:
        """The median error of its size, and how often it has one."""
        found = [measured_diameter(array, site, lesion, self.ct.spacing) for site in sites]
        errors = np.array([size - lesion.diameter for size in found if size is not None])
        error = None
        if len(errors) >= FEWEST_SIZES:
            medians = np.median(errors[drawn_places(len(errors), self.seed)], axis=1)
            error = interval(float(np.median(errors)), medians).rounded()
        return {"size_error_mm": error, "sized": round(len(errors) / len(sites), 3)}

    def _widths(self, lesion: Lesion) -> list[list[float]]:
        """Widths of both families of channels, mm, (z, y, x)."""
        long = [WIDTH * float(np.hypot(lesion.diameter, d)) for d in self.coarse]
        return [[min(long)] * 3, long]

    def _reach(self, lesion: Lesion) -> float:
        """mm from a lesion's middle that are looked at."""
        return max(REACH * max(self._widths(lesion)[1]), lesion.diameter / 2 + AROUND_MM + max(self.ct.spacing))

    def _channels(self, lesion: Lesion) -> tuple[np.ndarray, list[int]]:
        """The channels, (channels, voxels), and half the sides of their box in voxels."""
        families = self._widths(lesion)
        halves = [int(REACH * a / d) for a, d in zip(families[1], self.ct.spacing, strict=True)]
        shape = [2 * half + 1 for half in halves]
        found = [laguerre_gauss(shape, widths, self.ct.spacing, CHANNELS) for widths in families]
        return np.concatenate(found[: 1 if families[0] == families[1] else 2]), halves


def _outputs(array: np.ndarray, sites: np.ndarray, channels: np.ndarray, halves: Sequence[int]) -> np.ndarray:
    """Channel outputs at places, (places, channels)."""
    boxes = (
        array[tuple(slice(int(at) - half, int(at) + half + 1) for at, half in zip(site, halves, strict=True))]
        for site in sites
    )
    return np.stack([channels @ box.ravel().astype(np.float64) for box in boxes])
