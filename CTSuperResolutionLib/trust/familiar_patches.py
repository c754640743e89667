"""Familiar patches: what the CTs that a prior learned from look like, and how much of a scan looks like none of them.

A patch is 20 mm of a slice a side, or four pixels where that is more. It is described by five numbers on a scale on
which tissues lie apart: the values that a tenth, half and nine tenths of its pixels stay below, and the logarithms of
their deviation and of the mean step between neighbours. Blur, noise and coarser voxels move them little; values that
are no HU, and things that are no body, much.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, reduce
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file
from scipy.spatial import cKDTree

from CTSuperResolutionLib.diffusion.prior_folder import FAMILIAR
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.volume.volume import Volume

NAME = "patches"  # of the array in the file
SIDE_MM, PIXEL_MM, FEWEST_PIXELS = 20.0, 2.0, 4
SLICES, PATCHES = 48, 3000  # of a scan, at the most
FEWEST = 30  # patches that say something of a scan
FAR = 1.5
"""Distance to the nearest familiar patch, from which on a patch is unfamiliar."""

UNFAMILIAR_PERCENT = 5.0
"""Share of such patches, from which on a scan is: see Resources/Documentation/evaluation.md."""

APART = 0.3  # of the patches that are kept of a CT
HU_SCALE = ((-1024.0, -200.0, 200.0, 2000.0, 6000.0), (-13.24, -5.0, 5.0, 14.0, 24.0))
"""HU and what stands for them: soft tissues differ by tens, air, lung and bone by hundreds."""

SPREAD_WEIGHT, SPREAD_FLOOR, STEP_FLOOR = 1.5, 0.3, 0.2  # of the logarithms


@dataclass(frozen=True, eq=False)
class FamiliarPatches:
    """Descriptions of the patches of some CTs, (patches, 5), thinned out where they lie close."""

    features: np.ndarray

    @classmethod
    def of(cls, scans: Iterable[Volume]) -> FamiliarPatches:
        """Those of scans in HU."""
        return cls.joined(cls(_thinned(patch_features(scan))) for scan in scans)

    @classmethod
    def joined(cls, parts: Iterable[FamiliarPatches | None]) -> FamiliarPatches:
        """All of several."""
        none = cls(np.zeros((0, 5), np.float32))
        return reduce(lambda found, part: found.and_those_of(part), parts, none)

    @classmethod
    def load(cls, folder: Path) -> FamiliarPatches | None:
        """Those of a prior's folder; None where nothing is known of what it learned from.

        Raises:
            JobError: the file is damaged.
        """
        file = folder / FAMILIAR
        if not file.is_file():
            return None
        try:
            features = load_file(file)[NAME].astype(np.float32)
        except Exception as error:  # safetensors and the system each have their own
            raise JobError(f"{file} is damaged; download or train the prior again.") from error
        if features.ndim != 2 or features.shape[1] != 5 or not len(features) or not np.isfinite(features).all():
            raise JobError(f"{file} holds no patches; download or train the prior again.")
        return cls(features)

    def save(self, folder: Path) -> None:
        """Write them into a prior's folder, in half precision; nothing where there are none."""
        if len(self.features):
            save_file({NAME: self.features.astype(np.float16)}, folder / FAMILIAR)

    def and_those_of(self, others: FamiliarPatches | None) -> FamiliarPatches:
        """These and what others add."""
        if others is None or not len(others.features):
            return self
        if not len(self.features):
            return others
        new = self._tree.query(others.features)[0] > APART
        return FamiliarPatches(np.concatenate([self.features, others.features[new]]))

    def unfamiliar_percent(self, scan: Volume) -> float | None:
        """Share of a scan's patches that look like none of these; None where it shows too few.

        Args:
            scan: in HU.
        """
        features = patch_features(scan)
        if len(features) < FEWEST:
            return None
        return 100 * float((self._tree.query(features)[0] > FAR).mean())

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self.features)


def patch_features(scan: Volume) -> np.ndarray:
    """Descriptions of patches of a scan in HU, (patches, 5), float32; at most PATCHES, the same ones every time.

    They lie side by side in slices across the axis of largest spacing, pixels averaged to about PIXEL_MM where they are
    smaller. What was not measured has none.
    """
    axis = int(np.argmax(scan.spacing))
    hu = np.moveaxis(scan.array, axis, 0)
    valid = None if scan.valid is None else np.moveaxis(scan.valid, axis, 0)
    pixel = [mm for k, mm in enumerate(scan.spacing) if k != axis]
    averaged = [max(1, round(PIXEL_MM / mm)) for mm in pixel]
    sides = [max(FEWEST_PIXELS, round(SIDE_MM / (mm * together))) for mm, together in zip(pixel, averaged, strict=True)]
    counts = [n // (side * together) for n, side, together in zip(hu.shape[1:], sides, averaged, strict=True)]
    rows, columns = (n * side * together for n, side, together in zip(counts, sides, averaged, strict=True))
    found = [np.zeros((0, 5), np.float32)]
    for index in np.unique(np.linspace(0, len(hu) - 1, min(len(hu), SLICES)).astype(int)):
        if not rows * columns:
            break
        coarse = _blocks(hu[index, :rows, :columns], averaged).mean(axis=(2, 3))
        patches = _blocks(coarse, sides).reshape(-1, *sides)
        if valid is not None:
            measured = _blocks(valid[index, :rows, :columns], [a * s for a, s in zip(averaged, sides, strict=True)])
            patches = patches[measured.all(axis=(2, 3)).ravel()]
        found.append(_described(patches))
    features = np.concatenate(found)
    if len(features) > PATCHES:
        features = features[np.random.default_rng(0).choice(len(features), PATCHES, replace=False)]
    return features


def _blocks(image: np.ndarray, sides: list[int]) -> np.ndarray:
    """An image as blocks, (block rows, block columns, rows, columns)."""
    (rows, columns), (high, wide) = image.shape, sides
    return image.reshape(rows // high, high, columns // wide, wide).swapaxes(1, 2)


def _described(patches: np.ndarray) -> np.ndarray:
    """The five numbers of patches (n, rows, columns)."""
    values = np.interp(patches, *HU_SCALE)
    quantiles = np.quantile(values, (0.1, 0.5, 0.9), axis=(1, 2))
    spread = values.std(axis=(1, 2))
    step = sum(np.abs(np.diff(values, axis=axis)).mean(axis=(1, 2)) for axis in (1, 2)) / 2
    logarithms = [SPREAD_WEIGHT * np.log2(each + floor) for each, floor in ((spread, SPREAD_FLOOR), (step, STEP_FLOOR))]
    return np.stack([*quantiles, *logarithms], axis=1).astype(np.float32)


def _thinned(features: np.ndarray) -> np.ndarray:
    """Of descriptions that lie closer than APART to each other, one."""
    tree, kept = cKDTree(features), np.ones(len(features), bool)
    for index, near in enumerate(tree.query_ball_point(features, APART)):
        if kept[index]:
            kept[[other for other in near if other > index]] = False
    return features[kept]
