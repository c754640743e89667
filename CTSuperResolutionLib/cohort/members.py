"""Members of a cohort: scans with what their jobs have of their own, from a table or a folder."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from CTSuperResolutionLib.errors import JobError, unknown
from CTSuperResolutionLib.job.job import Job
from CTSuperResolutionLib.volume.ct_files import stem
from CTSuperResolutionLib.volume.reading import FORMATS

OF_JOBS = ("scale", "spacing", "preset", "roi", "series", "seed", "prior")
COLUMNS = ("scan", "name", *OF_JOBS)
"""Columns that a table may have; what a row leaves empty is as for all."""

SPECIAL = set('/\\:*?"<>|')
"""What no name may have, for a folder gets it."""

TAKEN = {"outcomes", "cohort.json", "cohort.csv", "cohort.md", "cohort.sbatch"}
"""Names of what lies beside those folders."""


@dataclass(frozen=True)
class Member:
    """One scan of a cohort.

    Attributes:
        name: of the folder that its results go to.
        scan: file or DICOM folder; it need not be there.
        entries: of its job, over those of all.
    """

    name: str
    scan: Path
    entries: Mapping[str, str]

    def job(self, output: Path, common: Mapping[str, Any]) -> Job:
        """Its job.

        Args:
            output: the folder that its results go to.
            common: entries of the jobs of all.

        Raises:
            JobError: it is not allowed.
        """
        values: dict[str, Any] = {**common, **self.entries}
        for name, instead in (("scale", "spacing"), ("spacing", "scale")):
            if name in self.entries and instead not in self.entries:
                values.pop(instead, None)
        if isinstance(values.get("seed"), str):
            values["seed"] = _whole(values["seed"])
        return Job.from_dict({**values, "input": str(self.scan.absolute()), "output": str(output.absolute())})


def read_members(place: Path, out: Path) -> list[Member]:
    """The scans of a table, or of a folder: its CT files and, as DICOM series, the folders in it.

    Args:
        place: a CSV file with a column ``scan``, whose paths are relative to its folder, or a folder.
        out: the folder for results, which may lie in the other one.

    Raises:
        JobError: it cannot be read, has unknown columns or no scan, or two scans have one name.
    """
    members = _of_folder(place, out) if place.is_dir() else _of_table(place)
    if not members:
        raise JobError(f"There is no scan in {place}; name a table of scans or a folder with some.")
    seen: set[str] = set()
    for member in members:
        if member.name.casefold() in seen:
            raise JobError(f"Two scans of {place} have the name {member.name}; give them others in a column 'name'.")
        if not member.name.strip(". ") or set(member.name) & SPECIAL or member.name.casefold() in TAKEN:
            raise JobError(f"The name '{member.name}' in {place} cannot be that of a folder; choose another one.")
        seen.add(member.name.casefold())
    return members


def _of_folder(folder: Path, out: Path) -> list[Member]:
    try:
        places = sorted(place for place in folder.iterdir() if not place.name.startswith("."))
    except OSError as error:
        raise JobError(f"The folder {folder} cannot be read ({error.strerror}); choose another one.") from None
    return [
        Member(stem(place) if place.is_file() else place.name, place, {})
        for place in places
        if place.resolve() != out.resolve() and (place.is_dir() or place.name.lower().endswith(tuple(FORMATS)))
    ]


def _of_table(file: Path) -> list[Member]:
    if file.name.lower().endswith(tuple(FORMATS)):
        raise JobError(f"{file} is a scan; name a table of scans or a folder with some.")
    if not file.exists():
        raise JobError(f"There is no table or folder {file}; check its path.")
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            rows = list(csv.DictReader(lines, strict=True))
    except OSError as error:
        raise JobError(f"The table {file} cannot be read ({error.strerror}); check its path.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise JobError(f"The table {file} is not CSV in UTF-8 ({error}); save it as such.") from None
    return [_member(file, number, row) for number, row in enumerate(rows, 1)]


def _member(file: Path, number: int, row: Mapping[str | None, Any]) -> Member:
    columns = [str(name).strip() for name in row if name is not None]
    _require_columns(file, columns)
    if None in row or None in row.values():
        raise JobError(f"Row {number} of {file} has not as many values as the table has columns; add or remove commas.")
    values = {str(name).strip(): str(value).strip() for name, value in row.items()}
    if not values["scan"]:
        raise JobError(f"Row {number} of {file} names no scan; name one or remove the row.")
    scan = file.parent / values["scan"]
    name = values.get("name") or (scan.name if scan.is_dir() else stem(scan))
    return Member(name, scan, {entry: values[entry] for entry in OF_JOBS if values.get(entry)})


def _require_columns(file: Path, columns: Iterable[str]) -> None:
    columns = list(columns)
    if "scan" not in columns:
        raise JobError(f"The table {file} has no column 'scan'; name the files of the scans in one.")
    for column in columns:
        if column not in COLUMNS:
            raise unknown(f"column of {file.name} that is known,", column, COLUMNS)


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise JobError(f"The seed is a whole number, not '{text}'.") from None
