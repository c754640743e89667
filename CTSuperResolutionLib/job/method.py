"""The method: scale, preset, parameters, prior, seed and device of a super-resolution, checked when it is made."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from CTSuperResolutionLib.errors import JobError, unknown
from CTSuperResolutionLib.job.parameters import DEFAULT_PRESET, Parameters, Value, find_parameter
from CTSuperResolutionLib.job.priors import DEFAULT_PRIOR, QUICK, find_prior
from CTSuperResolutionLib.job.refinement import Refinement, Spacing, parse_scale, parse_spacing
from CTSuperResolutionLib.job.target_grid import TargetGrid

PLAIN_UPSAMPLINGS = ("cubic", "bilinear")  # of views, on grids of whole factors only
DEVICES = ("auto", "cpu", "cuda")
MAX_SEED = 2**32 - 1


@dataclass(frozen=True)
class Method:
    """All that decides what becomes of a scan. Making one checks it.

    Attributes:
        scale: a whole factor for all axes such as "4", three factors "z,y,x", or "isotropic"; None with a spacing,
            in whose place it is not looked at.
        spacing: of the result, mm: for all axes that the scan has coarser, or along (z, y, x); also accepted as text.
        preset: which column of the parameter table to start from.
        settings: parameters that differ from the preset, as text or of their own types.
        prior: name, folder or checkpoint of the diffusion prior.
        seed: of all random numbers.
        device: "auto", "cpu", "cuda" or "cuda:N".

    Raises:
        JobError: something is not allowed; names the nearest name where one is unknown.
    """

    scale: str | None = "4"
    preset: str = DEFAULT_PRESET
    settings: Mapping[str, Value] = field(default_factory=dict)
    prior: str = DEFAULT_PRIOR
    seed: int = 0
    device: str = "auto"
    spacing: Spacing | None = None

    def __post_init__(self) -> None:
        # Of any type: a job file may hold anything.
        if not isinstance(self.settings, Mapping):
            raise JobError("The settings of a job are an object of names and values.")
        checked = {
            "scale": parse_scale(self.scale) if self.spacing is None else None,
            "spacing": None if self.spacing is None else parse_spacing(self.spacing),
            "settings": {name: find_parameter(name).parse(value) for name, value in self.settings.items()},
            "prior": require_path("prior", self.prior),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)  # the dataclass is frozen
        if not isinstance(self.device, str) or not re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,3})?", self.device):
            raise unknown("device", self.device, DEVICES)
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed <= MAX_SEED:
            raise JobError(f"The seed is a whole number from 0 to {MAX_SEED}, not {shown(self.seed)}.")
        find_prior(self.prior)
        _ = self.parameters

    @cached_property
    def parameters(self) -> Parameters:
        """All parameters: those of the preset, and the settings over them."""
        return Parameters.of(self.preset, self.settings)

    @property
    def prior_place(self) -> Path:
        """Folder or checkpoint of the network that is asked, the quick one where the prior has one and it is wanted.

        Raises:
            JobError: the prior is gone.
        """
        place = find_prior(self.prior)
        quick = place / QUICK
        return quick if self.parameters.network == QUICK and quick.is_dir() else place

    def refinement(self, spacing: Sequence[float]) -> Refinement:
        """By how much the result is finer than a scan.

        Args:
            spacing: mm between voxel centres of the scan along (z, y, x).

        Raises:
            JobError: nothing to refine, or a refinement that the method cannot do.
        """
        if self.spacing is not None:
            found = Refinement.to_spacing(self.spacing, spacing)
        else:
            found = Refinement.by_scale(self.scale or "", spacing)
        refines_detector = found.is_whole and len(set(found.factors)) < 3
        if self.parameters.view_restoration in PLAIN_UPSAMPLINGS and not refines_detector:
            raise JobError(
                f"With view_restoration={self.parameters.view_restoration} factors are whole and two of them equal; "
                "choose such a scale, or leave it at ddnm+."
            )
        return found

    def target_grid(self, shape: Sequence[int], spacing: Sequence[float]) -> TargetGrid:
        """The voxels of the result over a scan of that shape and spacing in mm, (z, y, x).

        Raises:
            JobError: as :meth:`refinement`.
        """
        return TargetGrid.over(shape, spacing, self.refinement(spacing))


def parse_settings(entries: Iterable[str]) -> dict[str, str]:
    """Read "name=value" entries; a name that comes twice takes its last value.

    Raises:
        JobError: an entry has no "=".
    """
    found = {}
    for entry in entries:
        name, equals, value = entry.partition("=")
        if not equals:
            raise JobError(f"The setting '{entry}' is not of the form name=value.")
        found[name.strip()] = value.strip()
    return found


def require_path(name: str, value: object) -> str:
    """Check an entry of a job that is a path or a name.

    Raises:
        JobError: it is neither.
    """
    if not isinstance(value, str) or not _can_be_path(value):
        raise JobError(f"The {name} of the job is a path, not {shown(value)}.")
    return value


def shown(value: object) -> str:
    """A value as a job file has it, short enough for a sentence."""
    text = json.dumps(value, default=repr)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _can_be_path(text: str) -> bool:
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:  # half a surrogate pair
        return False
