"""The method: scale, preset, parameters, prior, seed and device of a super-resolution, checked when it is made."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from CTSuperResolutionLib.errors import JobError, unknown
from CTSuperResolutionLib.job.parameters import DEFAULT_PRESET, Parameters, Value, find_parameter
from CTSuperResolutionLib.job.priors import DEFAULT_PRIOR, find_prior

SCALES = ("2", "4", "8", "isotropic")
"""Those that the panel offers by name; any whole factor and three of them are scales as well."""

DEVICES = ("auto", "cpu", "cuda")
MAX_FACTOR = 10
MAX_SEED = 2**32 - 1
# Torch indexes a volume's voxels with 32 bits on GPUs.
MAX_OUTPUT_VOXELS = 2**31 - 1

Factors = tuple[int, int, int]
"""Whole factors along (z, y, x) by which a result is finer than its scan."""


@dataclass(frozen=True)
class Method:
    """All that decides what becomes of a scan. Making one checks it.

    Attributes:
        scale: a whole factor for all axes such as "4", three factors "z,y,x", or "isotropic".
        preset: which column of the parameter table to start from.
        settings: parameters that differ from the preset, as text or of their own types.
        prior: name, folder or checkpoint of the diffusion prior.
        seed: of all random numbers.
        device: "auto", "cpu", "cuda" or "cuda:N".

    Raises:
        JobError: something is not allowed; names the nearest name where one is unknown.
    """

    scale: str = "4"
    preset: str = DEFAULT_PRESET
    settings: Mapping[str, Value] = field(default_factory=dict)
    prior: str = DEFAULT_PRIOR
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        # Of any type: a job file may hold anything.
        if not isinstance(self.settings, Mapping):
            raise JobError("The settings of a job are an object of names and values.")
        checked = {
            "scale": parse_scale(self.scale),
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

    def factors(self, spacing: Sequence[float], shape: Sequence[int]) -> Factors:
        """As :meth:`refinement`, for a region of that many voxels along (z, y, x) whose result must not be too large.

        Raises:
            JobError: as there, or too many voxels to come out.
        """
        found = self.refinement(spacing)
        voxels = math.prod(shape) * math.prod(found)
        if voxels > MAX_OUTPUT_VOXELS:
            raise JobError(
                f"The result would have {voxels / 1e9:.1f} billion voxels, and {MAX_OUTPUT_VOXELS / 1e9:.1f} is the "
                "most; choose a region of interest or a lower scale."
            )
        return found

    def refinement(self, spacing: Sequence[float]) -> Factors:
        """Factors by which the result is finer along (z, y, x).

        Args:
            spacing: mm between voxel centres of the input along (z, y, x); decides what "isotropic" means.

        Raises:
            JobError: nothing to refine, or factors that the method cannot do.
        """
        if self.scale == "isotropic":
            # Python's round() would send 2.5 to 2 and 3.5 to 4.
            z, y, x = (int(s / min(spacing) + 0.5) for s in spacing)
            if max(z, y, x) == 1:
                raise JobError("The voxels are isotropic already; choose a factor such as 4.")
            if max(z, y, x) > MAX_FACTOR:
                raise JobError(
                    f"Isotropic voxels would take {max(z, y, x)} times finer sampling, and {MAX_FACTOR} is the most; "
                    "choose three factors z,y,x."
                )
        else:
            given = self.scale.split(",")
            z, y, x = map(int, given if len(given) == 3 else 3 * given)
        if len({z, y, x}) == 3:
            raise JobError(
                f"The factors {_joined((z, y, x))} are all different, and the views turn about an axis whose two "
                "others share one factor; make two of them equal."
            )
        return z, y, x


def parse_scale(scale: object) -> str:
    """Check a scale and bring it to its plain form.

    Raises:
        JobError: not a whole factor above 1, isotropic, or three factors of which one is above 1.
    """
    text = str(scale).replace(" ", "").lower()
    if text in SCALES:
        return text
    parts = text.split(",")
    if len(parts) not in (1, 3) or not all(re.fullmatch("[0-9]{1,9}", part) for part in parts):
        raise JobError(
            f"The scale '{scale}' is not a whole factor from 2 to {MAX_FACTOR}, isotropic or three factors z,y,x such "
            "as 4,1,1."
        )
    found = tuple(int(part) for part in parts)
    if len(found) == 1 and not 2 <= found[0] <= MAX_FACTOR:
        raise JobError(f"The factor {found[0]} is not from 2 to {MAX_FACTOR}.")
    if min(found) < 1 or max(found) > MAX_FACTOR or max(found) == 1:
        raise JobError(f"The factors {_joined(found)} are not from 1 to {MAX_FACTOR} with at least one above 1.")
    return _joined(found)


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


def _joined(factors: Iterable[int]) -> str:
    return ",".join(map(str, factors))
