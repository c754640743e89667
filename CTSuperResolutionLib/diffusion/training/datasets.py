"""Which images a prior is trained on, and at which shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from CTSuperResolutionLib.diffusion.training.dead_leaves import random_bodies
from CTSuperResolutionLib.diffusion.training.degraded_ct import DegradedCt, degrade_ct
from CTSuperResolutionLib.diffusion.training.examples import Mixture, Source
from CTSuperResolutionLib.diffusion.training.radiographs import Radiographs
from CTSuperResolutionLib.errors import Advice, JobError, OtherOption
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.volume.ct_files import find_cts, stem
from CTSuperResolutionLib.volume.reading import read_volume

BODIES_SHAPE = (64, 96, 96)
BODIES_DEGRADATIONS = ((1.0, (4, 4, 4), 3.0), (1.0, (8, 8, 8), 3.0), (1.0, (2, 2, 2), 0.7), (1.0, (4, 1, 1), 0.7))
SMALLEST_RADIOGRAPH = 64  # pixels
HELD_OUT_BODIES = 4  # volumes of random bodies for validation


@dataclass(frozen=True)
class TrainingImages:
    """Where training images come from, and the share of a batch that each kind has where there is any of it.

    Attributes:
        radiographs: folders, drawn equally often. cts: files, drawn equally often. bodies: how many volumes of random
            bodies are made.
        radiograph_share, ct_share, body_share: relative to each other.
        projections: share of projections among the examples of CTs and bodies; the others are slices.
        validation_fraction: share of the radiographs that is held out.
    """

    radiographs: Sequence[Path] = ()
    cts: Sequence[Path] = ()
    bodies: int = 28
    radiograph_share: float = 0.15
    ct_share: float = 0.6
    body_share: float = 0.25
    projections: float = 0.25
    validation_fraction: float = 0.05

    def __len__(self) -> int:
        return len(self.radiographs) + len(self.cts) + self.bodies

    def load(self, seed: int, progress: Progress) -> tuple[Source, Source, dict[str, object]]:
        """Sources to train on and to validate on, and what they were, for the model card.

        Progress advances by one for each CT, folder and volume of bodies.

        Raises:
            JobError: a file that is not a CT, or too small; a folder without radiographs; nothing to validate on, which
            radiographs and random bodies are.
        """
        if not (self.radiographs and self.radiograph_share) and not (self.bodies >= 4 and self.body_share):
            raise JobError(
                "There is too little to train on and to validate on",
                Advice("name folders of radiographs"),
                OtherOption("bodies", "{} of 4 or more with a share above 0"),
            )
        rng = np.random.default_rng(seed)
        training: list[tuple[float, Source]] = []
        held_out: list[tuple[float, Source]] = []
        card: dict[str, object] = {"ct": sorted(stem(path) for path in self.cts)}
        for path in self.cts:
            volumes = degrade_ct((scan := read_volume(path)).array, scan.spacing, rng)
            if not volumes:
                raise JobError(f"The CT {path} is too small to train on; leave it out.")
            training.append((self.ct_share / len(self.cts), DegradedCt(volumes, projections=self.projections)))
            progress.advance()
        counts = {}
        for folder in self.radiographs:
            options = {"smallest": SMALLEST_RADIOGRAPH, "validation_fraction": self.validation_fraction}
            kept, others = Radiographs(folder, **options), Radiographs(folder, **options, validation=True)
            training.append((self.radiograph_share / len(self.radiographs), kept))
            held_out.append((self.radiograph_share / len(self.radiographs), others))
            name = Path(folder).name  # two folders may share it
            counts[name] = counts.get(name, 0) + len(kept)
            progress.advance()
        if self.bodies:
            made = []
            for _ in range(self.bodies):
                made += degrade_ct(
                    random_bodies(BODIES_SHAPE, rng), (1.0, 1.0, 1.0), rng, degradations=BODIES_DEGRADATIONS
                )
                progress.advance()
            each = len(BODIES_DEGRADATIONS)
            spared = each * min(HELD_OUT_BODIES, self.bodies // 4)
            training.append((self.body_share, DegradedCt(made[spared:], projections=self.projections)))
            if spared:
                held_out.append((self.body_share, DegradedCt(made[:spared], projections=self.projections)))
        shares = {"radiographs": self.radiograph_share, "ct": self.ct_share, "bodies": self.body_share}
        card |= {"radiographs": counts, "bodies": self.bodies, "shares": shares, "projections": self.projections}
        return Mixture(training), Mixture(held_out), card


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
