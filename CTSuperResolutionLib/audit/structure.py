"""Invented and lost structure: patches of a result that agree with the truth to a lower frequency than they should."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from CTSuperResolutionLib.audit.fourier_ring import ring_correlation
from CTSuperResolutionLib.job.events import Progress

SIDE_MM = 24.0  # of a patch: a vertebra or a large vessel with its surroundings
FEWEST_PIXELS = 16  # of a side: below, a ring holds too few frequencies
FLAT_HU = 20.0  # standard deviation; a patch with less is flat, and its correlation that of noise
THRESHOLD = 0.5  # of the correlation, the usual one for two images one of which is the truth
TAIL = 5.0  # percent of cubic's patches that are flagged by definition
LOST, INVENTED = 1, 2  # labels of the map

REFERENCE_METHOD = "cubic"
"""Upsampling that adds nothing: where its patches end to agree sets what is expected of a result."""


@dataclass(frozen=True)
class Patches:
    """Patches of one plane direction, half of each overlapping the next.

    Attributes:
        axis: across the planes, 0 to 2. corners: of every patch, (n, 3), (z, y, x). sides: in voxels, (z, y, x).
        step: from plane to plane, in voxels.
    """

    axis: int
    corners: np.ndarray
    sides: tuple[int, int, int]
    step: int

    def of(self, array: np.ndarray) -> np.ndarray:
        """The patches of a volume, (n, rows, columns), float64."""
        return np.stack([array[self.box(corner)].squeeze(self.axis) for corner in self.corners]).astype(np.float64)

    def surroundings(self, corner: np.ndarray) -> tuple[slice, ...]:
        """The voxels that a patch stands for: it, and what is nearer to its plane than to the next ones."""
        z, y, x = self.box(corner)
        found, middle = [z, y, x], int(corner[self.axis])
        found[self.axis] = slice(max(0, middle - self.step // 2), middle + (self.step + 1) // 2)
        return tuple(found)

    def box(self, corner: np.ndarray) -> tuple[slice, ...]:
        """The voxels of a patch."""
        return tuple(slice(int(c), int(c) + side) for c, side in zip(corner, self.sides, strict=True))


@dataclass(frozen=True)
class StructureCount:
    """Flagged patches of one volume.

    Attributes:
        patches: that are not flat. invented, lost: flagged ones with more and with less power than the truth.
        frequency: below which the correlation must not fall, cycles per mm, median over the directions.
        agreement: the median frequency up to which patches agree with the truth, cycles per mm.
    """

    patches: int
    invented: int
    lost: int
    frequency: float
    agreement: float

    def report(self) -> dict[str, float]:
        """As plain values: shares in percent."""
        share = 100 / max(self.patches, 1)
        return {
            "patches": self.patches,
            "invented_percent": round(share * self.invented, 2),
            "lost_percent": round(share * self.lost, 2),
            "expected_per_mm": round(self.frequency, 4),
            "agreement_per_mm": round(self.agreement, 4),
        }


def patches_of(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> Iterator[Patches]:
    """Patches in the planes across each axis, half a side apart, in every fourth of a side's planes."""
    sides = [max(FEWEST_PIXELS, round(SIDE_MM / d)) for d in spacing]
    for axis in range(3):
        own = tuple(1 if k == axis else side for k, side in enumerate(sides))
        if any(side > n for side, n in zip(own, shape, strict=True)):
            continue
        steps = [max(1, side // (4 if k == axis else 2)) for k, side in enumerate(sides)]
        starts = [range(0, n - side + 1, step) for n, side, step in zip(shape, own, steps, strict=True)]
        grid = np.stack(np.meshgrid(*starts, indexing="ij"), axis=-1).reshape(-1, 3)
        yield Patches(axis, grid, (own[0], own[1], own[2]), steps[axis])


def audit_structure(
    volumes: Mapping[str, np.ndarray],
    truth: np.ndarray,
    spacing: tuple[float, float, float],
    progress: Progress,
) -> tuple[dict[str, StructureCount], np.ndarray]:
    """Flag the patches of volumes that agree with the truth to a lower frequency than nearly all of cubic's do.

    A patch is flagged where its Fourier ring correlation with the truth falls below THRESHOLD before the frequency at
    which that of TAIL percent of cubic's patches has fallen, in planes of the same direction. It counts as invented
    where it has more power than the truth from there on up to that frequency, and otherwise as lost.

    Args:
        volumes: HU, (z, y, x), by name; REFERENCE_METHOD among them, and the last one is mapped.
        truth: HU, on the same grid. spacing: mm, (z, y, x).
        progress: advanced by one for every volume and plane direction.

    Returns:
        What was found by name, and a map of the last volume: LOST, INVENTED or 0, uint8 (z, y, x).
    """
    flagged = np.zeros(truth.shape, dtype=np.uint8)
    found: dict[str, list[tuple[np.ndarray, np.ndarray, float]]] = {name: [] for name in volumes}
    for patches in patches_of(truth.shape, spacing):
        true = patches.of(truth)
        in_plane = [d for axis, d in enumerate(spacing) if axis != patches.axis]
        structured = true.std(axis=(1, 2)) >= FLAT_HU
        if not structured.any():
            continue
        expected = 0.0
        for name in (REFERENCE_METHOD, *(name for name in volumes if name != REFERENCE_METHOD)):
            rings = ring_correlation(patches.of(volumes[name])[structured], true[structured], in_plane)
            crossings = rings.crossings(THRESHOLD)
            if name == REFERENCE_METHOD:
                expected = float(np.percentile(crossings, TAIL))
            step = rings.frequencies[0]
            within = (rings.frequencies > crossings[:, None] - step) & (rings.frequencies < expected + step)
            more = (rings.power[0] * within).sum(axis=1) > (rings.power[1] * within).sum(axis=1)
            kinds = np.where(crossings < expected, np.where(more, INVENTED, LOST), 0)
            found[name].append((kinds, crossings, expected))
            if name == list(volumes)[-1]:
                for corner, kind in zip(patches.corners[structured], kinds, strict=True):
                    part = flagged[patches.surroundings(corner)]
                    np.maximum(part, kind, out=part, casting="unsafe")
            progress.advance()
    counts = {}
    for name, parts in found.items():
        kinds = np.concatenate([part[0] for part in parts] or [np.zeros(0)])
        crossings = np.concatenate([part[1] for part in parts] or [np.zeros(0)])
        counts[name] = StructureCount(
            len(kinds),
            int(np.count_nonzero(kinds == INVENTED)),
            int(np.count_nonzero(kinds == LOST)),
            float(np.median([part[2] for part in parts])) if parts else 0.0,
            float(np.median(crossings)) if len(crossings) else 0.0,
        )
    return counts, flagged
