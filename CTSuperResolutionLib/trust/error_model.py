"""Error model: an interval for every voxel of a result that is to hold the truth in nine of ten.

How large the error is likely to be is predicted from what the method added around a voxel and from how steep the
volume is there: a score w·φ, fitted to log |error|. Of each tissue the voxels of results whose truth is known are put
into bins by that score, and half the width of the interval is the conformal quantile of |error| in a bin (Mondrian
conformal prediction: Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005), interpolated between
bins. That makes it right on average over results like those: the same kind of scanner, factors and prior.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.ndimage as ndi

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.quantification.tissue_shift import TISSUE_RANGES

LEVEL = 0.9
NEIGHBOURS = 5  # voxels along each axis over which what was added and the steepness are averaged
FLOOR_HU = 1.0  # of an error and of a feature, before its logarithm is taken
MOST_VOXELS = 300_000  # of one result, drawn at random
BINS = 16  # of scores, with as many voxels in each
FEWEST_VOXELS = 1000  # of a bin; a tissue with less has fewer bins, or the curve of all tissues
MIXED = "mixed"  # between the ranges of the tissues
VERSION = 1


@dataclass(frozen=True)
class ErrorModel:
    """Interval widths of results.

    Attributes:
        weights: w, of the features of :func:`error_features`.
        curves: by tissue, MIXED among them: scores, rising, and half the width at each, HU.
        level: share of voxels whose interval holds the truth.
        origin: what it was calibrated on, as plain values.
    """

    weights: tuple[float, ...]
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]]
    level: float
    origin: Mapping[str, Any]

    @classmethod
    def fit(
        cls, cases: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]], origin: Mapping[str, Any], seed: int = 0
    ) -> ErrorModel:
        """The model of some results whose truth is known.

        Half of the voxels that are drawn fit w, the other half the curves: no interval is fitted to itself.

        Args:
            cases: sr, measured and truth of each, HU, (z, y, x), on one grid. origin: what they are. seed: of the draw.
        """
        rng = np.random.default_rng(seed)
        parts = []
        for sr, measured, truth in cases:
            chosen = rng.choice(sr.size, min(sr.size, MOST_VOXELS), replace=False)
            features = error_features(sr, measured).reshape(-1, sr.size)[:, chosen]
            error = np.abs(sr.ravel()[chosen].astype(np.float64) - truth.ravel()[chosen])
            parts.append((features, error, tissues_of(measured.ravel()[chosen])))
        features = np.concatenate([part[0] for part in parts], axis=1).astype(np.float64)
        error, tissues = (np.concatenate([part[k] for part in parts]) for k in (1, 2))
        for_weights = rng.random(len(error)) < 0.5
        target = np.log(np.maximum(error[for_weights], FLOOR_HU))
        weights = np.linalg.lstsq(features[:, for_weights].T, target, rcond=None)[0]
        rest = ~for_weights
        scores, error, tissues = weights @ features[:, rest], error[rest], tissues[rest]
        overall = _curve(scores, error)
        curves = {}
        for number, name in enumerate((*TISSUE_RANGES, MIXED)):
            own = tissues == number
            curves[name] = _curve(scores[own], error[own]) if np.count_nonzero(own) >= FEWEST_VOXELS else overall
        return cls(tuple(map(float, weights)), curves, LEVEL, dict(origin))

    def half_width(self, sr: np.ndarray, measured: np.ndarray) -> np.ndarray:
        """Half the width of every voxel's interval, HU, float32 (z, y, x).

        Args:
            sr, measured: HU, (z, y, x), on one grid.
        """
        scores = np.tensordot(np.array(self.weights, np.float32), error_features(sr, measured), axes=1)
        tissues = tissues_of(measured)
        found = np.empty(scores.shape, dtype=np.float32)
        for number, name in enumerate((*TISSUE_RANGES, MIXED)):
            own = tissues == number
            found[own] = np.interp(scores[own], *self.curves[name])
        return found

    def to_json(self) -> str:
        """As the text of a file."""
        return json.dumps({"version": VERSION, **vars(self)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> ErrorModel:
        """The model in a file.

        Raises:
            JobError: there is none.
        """
        try:
            values = json.loads(text)
            if values["version"] != VERSION:
                raise ValueError(values["version"])
            curves = {name: _read_curve(values["curves"][name]) for name in (*TISSUE_RANGES, MIXED)}
            weights = tuple(map(float, values["weights"]))
            return cls(weights, curves, float(values["level"]), dict(values["origin"]))
        except (ValueError, KeyError, TypeError):
            problem = "The file holds no calibration of errors; make one by calibrating on known truths."
            raise JobError(problem) from None


def error_features(sr: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """φ of every voxel: 1, the logarithms of what was added around it and of the steepness there, and their product.

    What was added is the root mean square over NEIGHBOURS voxels, HU; the steepness that of the result's gradient, HU a
    voxel. (4, z, y, x), float32.
    """
    added = _around((sr.astype(np.float32) - measured) ** 2)
    steep = _around(sum((np.gradient(sr.astype(np.float32), axis=axis) ** 2 for axis in range(3)), np.float32(0)))
    return np.stack([np.ones_like(added), added, steep, added * steep])


def tissues_of(hu: np.ndarray) -> np.ndarray:
    """The tissue that each HU lies in the range of, as its place among TISSUE_RANGES, and after these MIXED; uint8."""
    found = np.full(hu.shape, len(TISSUE_RANGES), dtype=np.uint8)
    for number, (low, high) in enumerate(TISSUE_RANGES.values()):
        found[(hu >= low) & (hu < high)] = number
    return found


def coverage(
    model: ErrorModel, sr: np.ndarray, measured: np.ndarray, truth: np.ndarray
) -> dict[str, dict[str, float] | None]:
    """Of each tissue and of ``all``: ``covered_percent`` and ``mean_half_width_hu``; None below FEWEST_VOXELS."""
    width, tissues = model.half_width(sr, measured), tissues_of(measured)
    held = np.abs(sr.astype(np.float64) - truth) <= width
    found: dict[str, dict[str, float] | None] = {}
    for number, name in enumerate((*TISSUE_RANGES, MIXED, "all")):
        own: Sequence | np.ndarray = tissues == number if name != "all" else np.ones_like(held)
        found[name] = (
            {
                "covered_percent": round(100 * float(held[own].mean()), 2),
                "mean_half_width_hu": round(float(width[own].mean(dtype=np.float64)), 2),
            }
            if np.count_nonzero(own) >= FEWEST_VOXELS
            else None
        )
    return found


def _around(squares: np.ndarray) -> np.ndarray:
    """Logarithm of the root of a mean over a voxel's neighbourhood."""
    mean = ndi.uniform_filter(squares, NEIGHBOURS, mode="nearest")
    return np.log(FLOOR_HU + np.sqrt(np.maximum(mean, 0)))


def _curve(scores: np.ndarray, error: np.ndarray) -> tuple[list[float], list[float]]:
    """Median scores of bins and the conformal quantile of |error| in each, which never falls from bin to bin."""
    order = np.argsort(scores)
    parts = np.array_split(order, int(np.clip(len(order) // FEWEST_VOXELS, 1, BINS)))
    widths = np.maximum.accumulate([_quantile(error[part]) for part in parts])
    return [float(np.median(scores[part])) for part in parts], [float(width) for width in widths]


def _quantile(error: np.ndarray) -> float:
    """The conformal quantile: the ⌈(n + 1) LEVEL⌉-th smallest."""
    rank = min(len(error), int(np.ceil((len(error) + 1) * LEVEL)))
    return float(np.partition(error, rank - 1)[rank - 1])


def _read_curve(values: Sequence[Sequence[float]]) -> tuple[list[float], list[float]]:
    scores, widths = (list(map(float, part)) for part in values)
    if not scores or len(scores) != len(widths):
        raise ValueError(values)
    return scores, widths
