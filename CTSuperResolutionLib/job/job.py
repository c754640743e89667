"""The job: a method, a scan and a folder for the results, and the job.json that a process is started with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from CTSuperResolutionLib.errors import JobError, unknown
from CTSuperResolutionLib.job.memory import parse_memory
from CTSuperResolutionLib.job.method import Method, require_path, shown
from CTSuperResolutionLib.job.region import Roi, Slices, parse_roi, region_slices

ENTRIES = (
    "input", "output", "scale", "spacing", "preset", "roi", "device", "prior", "seed", "series", "allow_unusual",
    "untilt", "memory", "fresh", "settings",
)  # fmt: skip
"""Names in a job.json, in their order: those of a job and of its method, side by side."""

VERSION = 3
"""Of the format of job.json, which has a spacing since the second and a memory since the third.

A file that does not say may be of any.
"""

DEEPEST = 2  # levels of lists and objects inside a job's entries: the region has two


@dataclass(frozen=True)
class Job:
    """One super-resolution from a scan on disk to a folder of results. Making one checks it.

    Attributes:
        method: what to do.
        input: file (NRRD, MHA, NIfTI) or DICOM folder.
        output: folder for the results.
        roi: (start, stop) in input voxels for each of (z, y, x), stop excluded, None for the volume's border; also
            accepted as text, "z0:z1,y0:y1,x0:x1".
        series: number or UID of the series to read from a DICOM folder with several.
        allow_unusual: go on where the input does not look like a CT.
        untilt: shift slices that a tilted gantry displaces sideways to a straight grid.
        memory: that the job may take, as text such as "4GB"; a share of what is free where None.
        fresh: begin anew where an unfinished run of the same job has left something.

    Raises:
        JobError: something is not allowed.
    """

    method: Method
    input: str
    output: str
    roi: Roi | None = None
    series: str | None = None
    allow_unusual: bool = False
    untilt: bool = False
    memory: str | None = None
    fresh: bool = False

    def __post_init__(self) -> None:
        # Of any type: a job file may hold anything.
        for name in ("input", "output"):
            if getattr(self, name) == "":
                raise JobError(f"The job has no {name}; name one.")
            require_path(name, getattr(self, name))
        if self.roi is not None:
            object.__setattr__(self, "roi", parse_roi(self.roi))  # the dataclass is frozen
        if not isinstance(self.series, str | None):
            raise JobError(f"The series of the job is text or nothing, not {shown(self.series)}.")
        _ = self.memory_bytes
        for name in ("allow_unusual", "untilt", "fresh"):
            if not isinstance(getattr(self, name), bool):
                raise JobError(f"The entry {name} of the job is true or false, not {shown(getattr(self, name))}.")

    @property
    def memory_bytes(self) -> int | None:
        """Bytes of memory that the job may take; None where nothing is said."""
        return None if self.memory is None else parse_memory(self.memory)

    def region(self, shape: Sequence[int]) -> Slices:
        """The part of an input volume of that shape, (z, y, x), to work on, as three slices.

        Raises:
            JobError: the region of interest is empty or not inside the volume.
        """
        return region_slices(self.roi, shape)

    def to_dict(self) -> dict[str, Any]:
        """The job and its method as plain values, as they stand in a job.json."""
        values = {**vars(self), **vars(self.method)}
        return {"version": VERSION, **{name: values[name] for name in ENTRIES}}

    def to_json(self) -> str:
        """The text of a job.json."""
        return json.dumps(self.to_dict(), indent=2) + "\n"

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Job:
        """The job of the values of :meth:`to_dict`; what is left out of a method is as by default.

        Raises:
            JobError: it is not allowed; names the nearest entry where one is unknown.
        """
        values = dict(values)
        _check_version(values.pop("version", VERSION))
        for name in values:
            if name not in ENTRIES:
                raise unknown("job entry", name, ENTRIES)
        if values.get("scale") is not None and values.get("spacing") is not None:
            raise JobError("The job has a scale and a spacing; give one of them.")
        of_method = [entry.name for entry in fields(Method)]
        method = Method(**{name: value for name, value in values.items() if name in of_method})
        rest = {name: value for name, value in values.items() if name not in of_method}
        return cls(method, **{"input": "", "output": "", **rest})

    @classmethod
    def from_json(cls, text: str | bytes) -> Job:
        """The job in a job.json.

        Raises:
            JobError: not a job, or one that is not allowed.
        """
        return cls.from_dict(parse_job_file(text))


def parse_job_file(text: str | bytes) -> dict[str, Any]:
    """The entries of a job.json, not yet checked. Bytes are UTF-8, or with a byte order mark UTF-16 or UTF-32.

    Raises:
        JobError: not a JSON object, or nested more deeply than any job.
    """
    try:
        values = json.loads(text.removeprefix("\ufeff") if isinstance(text, str) else text)
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise JobError(f"The job file is not JSON ({error}); write it anew.") from None
    if not isinstance(values, dict):
        raise JobError("The job file does not hold a JSON object; write it anew.")
    require_shallow(values)
    return values


def require_shallow(values: dict[str, Any]) -> None:
    """Check, before they are looked at, that entries of a job are nested no more deeply than those of any job.

    Raises:
        JobError: they are.
    """
    if any(_is_deeper(value, DEEPEST) for value in values.values()):
        raise _too_deep()


def _is_deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(one, levels - 1) for one in inner)


def _too_deep() -> JobError:
    return JobError("The job has lists or objects nested more deeply than those of any job; write it anew.")


def _check_version(version: object) -> None:
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise JobError(f"The version of a job file is a whole number from 1 up, not {shown(version)}.")
    if version > VERSION:
        raise JobError(
            f"The job file is of version {shown(version)}, and {VERSION} is the latest that is known here; "
            "update CTSuperResolution."
        )
