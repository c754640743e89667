"""Training data: which images a prior is trained on, at which shares, and which of them are held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from CTSuperResolutionLib.diffusion.training.dead_leaves import dead_leaves
from CTSuperResolutionLib.diffusion.training.degraded_ct import DegradedCt, DegradedVolume, degrade_ct
from CTSuperResolutionLib.diffusion.training.examples import Mixture, Source
from CTSuperResolutionLib.diffusion.training.radiographs import Radiographs
from CTSuperResolutionLib.errors import Advice, JobError, OtherOption
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.volume.ct_files import find_cts, stem
from CTSuperResolutionLib.volume.reading import read_volume

DEAD_LEAVES_SHAPE = (64, 96, 96)
SMALLEST_RADIOGRAPH = 64  # pixels
HELD_OUT_DEAD_LEAVES = 4  # volumes of dead leaves for validation

Shares = list[tuple[float, Source]]


@dataclass(frozen=True)
class TrainingImages:
    """Images to train on, and the share of a batch that each kind has where there is any of it.

    Attributes:
        radiographs: folders, drawn equally often. cts: files, the larger drawn the more often. dead_leaves: how many
            volumes of dead leaves are made.
        radiograph_share, ct_share, dead_leaves_share: relative to each other.
        projections: share of projections among the examples of CTs and dead leaves; the others are slices.
        validation_fraction: share of the radiographs that is held out.
    """

    radiographs: Sequence[Path] = ()
    cts: Sequence[Path] = ()
    dead_leaves: int = 28
    radiograph_share: float = 0.15
    ct_share: float = 0.6
    dead_leaves_share: float = 0.25
    projections: float = 0.25
    validation_fraction: float = 0.05

    def __len__(self) -> int:
        return len(self.radiographs) + len(self.cts) + self.dead_leaves

    def load(self, seed: int, progress: Progress) -> tuple[Source, Source, dict[str, Any]]:
        """Sources to train on and to validate on, and what they were, for the model card.

        Progress advances by one for each CT, folder and volume of dead leaves.

        Raises:
            JobError: a file that is not a CT, or too small; a folder without radiographs; nothing to validate on, which
            radiographs and dead leaves are.
        """
        if not (self.radiographs and self.radiograph_share) and not (self.dead_leaves >= 4 and self.dead_leaves_share):
            raise JobError(
                "There is too little to train on and to validate on",
                Advice("name folders of radiographs"),
                OtherOption("dead-leaves", "{} of 4 or more with a share above 0"),
            )
        rng = np.random.default_rng(seed)
        cts = self._load_cts(rng, progress)
        radiographs, other_radiographs, counts = self._load_radiographs(progress)
        leaves, other_leaves = self._make_dead_leaves(rng, progress)
        card = {
            "ct": sorted(stem(path) for path in self.cts),
            "radiographs": counts,
            "dead_leaves": self.dead_leaves,
            "shares": {
                "radiographs": self.radiograph_share,
                "ct": self.ct_share,
                "dead_leaves": self.dead_leaves_share,
            },
            "projections": self.projections,
        }
        return Mixture(cts + radiographs + leaves), Mixture(other_radiographs + other_leaves), card

    def _load_cts(self, rng: np.random.Generator, progress: Progress) -> Shares:
        volumes: list[DegradedVolume] = []
        for path in self.cts:
            scan = read_volume(path)
            degraded = degrade_ct(scan.array, scan.spacing, rng)
            if not degraded:
                raise JobError(f"The CT {path} is too small to train on; leave it out.")
            volumes += degraded
            progress.advance()
        return [(self.ct_share, DegradedCt(volumes, projections=self.projections))] if volumes else []

    def _load_radiographs(self, progress: Progress) -> tuple[Shares, Shares, dict[str, int]]:
        """Radiographs to train on and held out ones, and how many are trained on by the names of their folders."""
        training: Shares = []
        held_out: Shares = []
        counts: dict[str, int] = {}
        for folder in self.radiographs:
            kept, others = (
                Radiographs(
                    folder,
                    smallest=SMALLEST_RADIOGRAPH,
                    validation_fraction=self.validation_fraction,
                    validation=validation,
                )
                for validation in (False, True)
            )
            training.append((self.radiograph_share / len(self.radiographs), kept))
            held_out.append((self.radiograph_share / len(self.radiographs), others))
            name = Path(folder).name  # two folders may share it
            counts[name] = counts.get(name, 0) + len(kept)
            progress.advance()
        return training, held_out, counts

    def _make_dead_leaves(self, rng: np.random.Generator, progress: Progress) -> tuple[Shares, Shares]:
        """Dead leaves to train on, and others that are held out."""
        if not self.dead_leaves:
            return [], []
        volumes: list[list[DegradedVolume]] = []
        for _ in range(self.dead_leaves):
            volumes.append(degrade_ct(dead_leaves(DEAD_LEAVES_SHAPE, rng), (1.0, 1.0, 1.0), rng))
            progress.advance()
        spared = min(HELD_OUT_DEAD_LEAVES, self.dead_leaves // 4)

        def shares(parts: Sequence[Sequence[DegradedVolume]]) -> Shares:
            part = list(chain.from_iterable(parts))
            return [(self.dead_leaves_share, DegradedCt(part, projections=self.projections))] if part else []

        return shares(volumes[spared:]), shares(volumes[:spared])


def choose_cts(places: Sequence[Path], left_out: Sequence[str]) -> list[Path]:
    """The CT files among files and in folders, but those whose stem is left out.

    Raises:
        JobError: a place that is not there or holds no CT, or a name to leave out that is not among them.
    """
    found = [path for place in places for path in find_cts(place).values()]
    stems = {stem(path) for path in found}
    if missing := sorted(set(left_out) - stems):
        raise JobError(f"There is no CT '{missing[0]}' to leave out; there are {', '.join(sorted(stems)) or 'none'}.")
    return [path for path in found if stem(path) not in left_out]
