"""What is asked for: one job, checked when it is made."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.parameters import DEFAULT_PRESET, Parameters, Value, find_parameter, unknown
from CTSuperResolutionLib.job.priors import DEFAULT_PRIOR, find_prior

SCALES = ("2", "4", "8", "isotropic")
MAX_FACTOR = 10
MAX_SEED = 2**32 - 1
# Torch indexes a volume's voxels with 32 bits on GPUs.
MAX_OUTPUT_VOXELS = 2**31 - 1

Roi = tuple[tuple[int | None, int | None], ...]


@dataclass(frozen=True)
class JobSpec:
    """One super-resolution job. Making one checks it.

    Attributes:
        input: file (NRRD, MHA, NIfTI) or DICOM folder.
        output: folder for the results.
        scale: "2", "4", "8" for all axes, three factors "z,y,x", or "isotropic".
        preset: which column of the parameter table to start from.
        roi: (start, stop) in input voxels for each of (z, y, x), stop excluded, None for the volume's border.
        device: "auto", "cpu", "cuda" or "cuda:N".
        prior: name or folder of the diffusion prior.
        seed: of all random numbers.
        series: UID of the series to read from a DICOM folder with several.
        allow_unusual: go on where the input does not look like a CT.
        settings: parameters that differ from the preset, as text or of their own types.

    Raises:
        JobError: something is not allowed; names the nearest name where one is unknown.
    """

    input: str
    output: str
    scale: str = "4"
    preset: str = DEFAULT_PRESET
    roi: Roi | None = None
    device: str = "auto"
    prior: str = DEFAULT_PRIOR
    seed: int = 0
    series: str | None = None
    allow_unusual: bool = False
    settings: dict[str, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check_types()
        checked = {
            "scale": parse_scale(self.scale),
            "roi": None if self.roi is None else parse_roi(self.roi),
            "settings": {name: find_parameter(name).parse(value) for name, value in self.settings.items()},
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)  # the dataclass is frozen
        if not re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,3})?", self.device):
            raise unknown("device", self.device, ("auto", "cpu", "cuda"))
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed <= MAX_SEED:
            raise JobError(f"The seed is a whole number from 0 to {MAX_SEED}, not {_shown(self.seed)}.")
        find_prior(self.prior)
        _ = self.parameters

    def _check_types(self) -> None:
        """A job file may hold anything."""
        for name in ("input", "output", "prior"):
            value = getattr(self, name)
            if value == "" and name != "prior":
                raise JobError(f"The job has no {name}; name one.")
            if not isinstance(value, str) or not _can_be_path(value):
                raise JobError(f"The {name} of the job is a path, not {_shown(value)}.")
        if not isinstance(self.device, str):
            raise unknown("device", self.device, ("auto", "cpu", "cuda"))
        if not isinstance(self.series, str | None):
            raise JobError(f"The series of the job is text or nothing, not {_shown(self.series)}.")
        if not isinstance(self.allow_unusual, bool):
            raise JobError(f"The entry allow_unusual of the job is true or false, not {_shown(self.allow_unusual)}.")
        if not isinstance(self.settings, Mapping):
            raise JobError("The settings of a job are an object of names and values.")

    @cached_property
    def parameters(self) -> Parameters:
        """All numbers of the job: those of the preset, and the settings over them."""
        return Parameters.of(self.preset, self.settings)

    def region(self, shape: Sequence[int]) -> tuple[slice, slice, slice]:
        """The part of an input volume of that shape (z, y, x) to work on, as three slices.

        Raises:
            JobError: the region of interest is empty or not inside the volume.
        """
        whole = tuple(slice(0, n) for n in shape)
        if self.roi is None:
            return whole
        chosen = []
        for axis, (start, stop), n in zip("zyx", self.roi, shape, strict=True):
            start, stop = 0 if start is None else start, n if stop is None else stop
            if not 0 <= start < stop <= n:
                raise JobError(
                    f"The region of interest {start}:{stop} along {axis} is not inside the volume's 0:{n}; "
                    "give start and stop in voxels, as in --roi 0:20,40:120,40:120."
                )
            chosen.append(slice(start, stop))
        return tuple(chosen)

    def factors(self, spacing: Sequence[float], shape: Sequence[int]) -> tuple[int, int, int]:
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

    def refinement(self, spacing: Sequence[float]) -> tuple[int, int, int]:
        """How many times finer the result is along (z, y, x).

        Args:
            spacing: mm between voxel centres of the input along (z, y, x); decides what "isotropic" means.

        Raises:
            JobError: nothing to refine, or factors that the method cannot do.
        """
        if self.scale == "isotropic":
            # Python's round() would send 2.5 to 2 and 3.5 to 4.
            found = tuple(int(s / min(spacing) + 0.5) for s in spacing)
            if max(found) == 1:
                raise JobError("The voxels are isotropic already; choose a factor, as in --scale 4.")
            if max(found) > MAX_FACTOR:
                raise JobError(
                    f"Isotropic voxels would take {max(found)} times finer sampling, and {MAX_FACTOR} is the most; "
                    "choose three factors z,y,x."
                )
        else:
            found = tuple(int(s) for s in self.scale.split(","))
            found = found * 3 if len(found) == 1 else found
        if len(set(found)) == 3:
            raise JobError(
                f"The factors {_joined(found)} are all different, and the views turn about an axis whose two others "
                "share one factor; make two of them equal."
            )
        return found

    def to_dict(self) -> dict[str, Any]:
        """The job as plain values, as they stand in job.json."""
        return asdict(self)

    def to_json(self) -> str:
        """The text of a job.json."""
        return json.dumps(self.to_dict(), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> JobSpec:
        """The job in a job.json.

        Raises:
            JobError: not a job, or one that is not allowed.
        """
        try:
            values = json.loads(text)
        except ValueError as error:
            raise JobError(f"The job file is not JSON ({error}); write it anew.") from None
        if not isinstance(values, dict):
            raise JobError("The job file does not hold a JSON object; write it anew.")
        names = [entry.name for entry in fields(cls)]
        for name in values:
            if name not in names:
                raise unknown("job entry", name, names)
        return cls(**{"input": "", "output": "", **values})


def parse_scale(scale: object) -> str:
    """Check a scale and bring it to its plain form.

    Raises:
        JobError: not 2, 4, 8, isotropic or three factors of which one is above 1.
    """
    text = str(scale).replace(" ", "").lower()
    if text in SCALES:
        return text
    parts = text.split(",")
    if len(parts) != 3 or not all(re.fullmatch("[0-9]{1,9}", part) for part in parts):
        raise JobError(f"The scale '{scale}' is not 2, 4, 8, isotropic or three factors z,y,x such as 4,1,1.")
    found = tuple(int(part) for part in parts)
    if min(found) < 1 or max(found) > MAX_FACTOR or max(found) == 1:
        raise JobError(f"The factors {_joined(found)} are not from 1 to {MAX_FACTOR} with at least one above 1.")
    return _joined(found)


def parse_roi(roi: object) -> Roi:
    """Read a region of interest "z0:z1,y0:y1,x0:x1" in voxels, or three pairs. A missing number is the border.

    Raises:
        JobError: not three ranges of whole numbers.
    """
    try:
        pairs = [part.split(":") for part in roi.split(",")] if isinstance(roi, str) else list(roi)
        found = tuple((_bound(start), _bound(stop)) for start, stop in pairs)
    except (TypeError, ValueError):
        found = ()
    if len(found) != 3:
        raise JobError(f"The region of interest '{roi}' is not z0:z1,y0:y1,x0:x1 in input voxels.")
    return found


def parse_settings(entries: Iterable[str]) -> Mapping[str, str]:
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


def _bound(value: object) -> int | None:
    if value is None or value == "":
        return None
    if isinstance(value, float | bool):
        raise TypeError
    return int(value)


def _can_be_path(text: str) -> bool:
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:  # half a surrogate pair
        return False


def _shown(value: object) -> str:
    """A value as a job file has it, short enough for a sentence."""
    text = json.dumps(value, default=repr)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _joined(factors: Iterable[int]) -> str:
    return ",".join(map(str, factors))
