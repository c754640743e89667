"""Settings of a reconstruction: name, meaning, default and limits of every number. Standard library only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from CTSuperResolutionLib.diffusion.slice_fixer.words import WORDS
from CTSuperResolutionLib.errors import unknown
from CTSuperResolutionLib.job.parameters import Parameter, Value


def _number(default: float, low: float, high: float, help: str, unit: str = "") -> Any:
    return field(default=default, metadata={"low": low, "high": high, "help": help, "unit": unit})


def _choice(default: str, choices: tuple[str, ...], help: str) -> Any:
    return field(default=default, metadata={"choices": choices, "help": help})


AS_TRAINED = "trained"
VOXELS_A_GAUSSIAN = 24  # a field starts with no more Gaussians than one for so many voxels


@dataclass(frozen=True)
class Settings:
    """Every number of the methods; each method looks at its own."""

    # fmt: off
    sart_sweeps: int = _number(15, 1, 10_000, "Of SART, over all views.")
    pocs_rounds: int = _number(25, 1, 10_000, "Of ASD-POCS: a sweep over all views and ten steps down the variation.")
    pocs_tolerance: float = _number(0.0, 0, 1, "Of ASD-POCS: share of the views' size that may stay unexplained.")
    gaussian_steps: int = _number(500, 1, 1_000_000, "Of the fit of the Gaussians.")
    gaussians: int = _number(50_000, 100, 5_000_000, "That the field starts with, at most one for 24 voxels.")
    growth: float = _number(2.0, 1, 100, "Of their number, by density control.", "times")
    views_per_step: int = _number(2, 1, 100, "That a step of the Gaussians' fit looks at.")
    shape_rate: float = _number(20, 0.01, 100, "Learning rate of positions, scales and rotations.", "of R2-Gaussian's")
    density_rate: float = _number(30, 0.01, 100, "Learning rate of densities.", "of R2-Gaussian's")
    lambda_ssim: float = _number(0.5, 0, 10, "Weight of the similarity of views in the Gaussians' loss.")
    lambda_tv: float = _number(0.1, 0, 10, "Weight of total variation in the Gaussians' loss.")
    densify_every: int = _number(50, 1, 100_000, "Steps between clones and splits, in the fit's first half.")
    densify_gradient: float = _number(1e-4, 0, 1, "Gradient of a position from which a Gaussian is cloned or split.")
    naf_steps: int = _number(1_500, 1, 1_000_000, "Of the fit of NAF.")
    rays: int = _number(1_024, 1, 1_000_000, "That a step of NAF looks at.")
    naf_rate: float = _number(1e-2, 1e-6, 1, "Learning rate of NAF at its start.")
    hash_bits: int = _number(15, 8, 24, "Of the rows of NAF's tables, two to that power.")
    backbone: str = _choice("gaussians", ("gaussians", "naf"), "Of DiffNR: what is fitted.")
    repair_at: float = _number(0.4, 0, 1, "Of DiffNR: share of the fit after which slices are repaired first.")
    repairs: int = _number(1, 0, 100, "Of DiffNR: how often slices are repaired, evenly over the rest of the fit.")
    repair_rounds: int = _number(3, 0, 100, "Of DiffNR: repairs at a time, each of which is brought back to the views.")
    repair_sweeps: int = _number(4, 0, 1_000, "Of DiffNR: of SART and total variation by which that is done.")
    lambda_repair: float = _number(20.0, 0, 1_000, "Of DiffNR: weight of the similarity to the repaired volume.")
    guide_every: int = _number(2, 1, 10_000, "Of DiffNR: steps between those that the repaired volume guides.")
    guide_slices: int = _number(16, 1, 4_096, "Of DiffNR: slices of the random slab that is compared.")
    guide: str = _choice("ssim3d", ("ssim3d", "l1", "none"), "Of DiffNR, for ablations; none: post-processing alone.")
    repaired: str = _choice("yes", ("yes", "no"), "Of DiffNR, for ablations: no has the sweeps without the repairs.")
    biplanar: str = _choice("yes", ("yes", "no"), "Of DiffNR, for ablations: whether repair is told of projections.")
    body_part: str = _choice(AS_TRAINED, (AS_TRAINED, *WORDS), "Of DiffNR: prompt of a slice fixer that has a base.")
    # fmt: on

    @property
    def word(self) -> str | None:
        """That a slice fixer is told, where it is told any; None for the one that it was trained with last."""
        return None if self.body_part == AS_TRAINED else self.body_part

    @classmethod
    def of(cls, settings: Mapping[str, Value]) -> Settings:
        """The defaults with some set otherwise, as text or numbers.

        Raises:
            JobError: one is not known or not allowed.
        """
        for name in settings:
            if name not in PARAMETERS:
                raise unknown("parameter", name, PARAMETERS)
        return cls(**{name: PARAMETERS[name].parse(value) for name, value in settings.items()})  # type: ignore[arg-type]


def repair_steps(settings: Settings, steps: int) -> list[int]:
    """The steps before which slices are repaired: one at its share of the fit, others evenly over the rest."""
    first = min(round(settings.repair_at * steps), steps - 1)
    return sorted({first + (steps - first) * k // settings.repairs for k in range(settings.repairs)})


def _parameter(entry: Any) -> Parameter:
    meta = entry.metadata
    return Parameter(
        name=entry.name,
        type={"int": int, "float": float, "str": str}[entry.type],
        group="reconstruction",
        audience="user",
        defaults={"default": entry.default},
        low=meta.get("low", -math.inf),
        high=meta.get("high", math.inf),
        choices=meta.get("choices", ()),
        unit=meta.get("unit", ""),
        help=meta["help"],
    )


PARAMETERS: Mapping[str, Parameter] = {entry.name: _parameter(entry) for entry in fields(Settings)}
"""The table, by name."""
