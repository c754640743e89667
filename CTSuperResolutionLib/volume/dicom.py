"""DICOM series of a folder: finding all of them, and choosing one."""

from __future__ import annotations

import math
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from CTSuperResolutionLib.errors import JobError, OtherOption
from CTSuperResolutionLib.volume.dicom_slice import (
    CT_CLASSES,
    DamagedFileError,
    ImagePlane,
    Slice,
    damaged,
    read_tags,
)

UID_TAIL = 8
"""Characters of a series UID that lists show; a tail of this length, or longer, also chooses a series."""


@dataclass(frozen=True)
class Series:
    """Images that share a SeriesInstanceUID, in no particular order.

    Attributes:
        number: see :func:`find_series`. uid, description, modality: as in its files.
        slices: its images, but for those that are no slices.
        captures: files of secondary captures, localizers and the like among them.
        damaged: files that say to be of it and cannot be read.
    """

    number: int
    uid: str
    description: str
    modality: str
    slices: tuple[Slice, ...]
    captures: tuple[Path, ...] = ()
    damaged: tuple[Path, ...] = ()

    def __str__(self) -> str:
        plural = "" if len(self.slices) == 1 else "s"
        what = f'"{self.description}", ' if self.description else ""
        kind = f"{self.modality}, " if self.modality not in ("", "CT") else ""
        rows, columns = self.slices[0].size
        size = f"{len(self.slices)} slice{plural} of {columns} x {rows}"
        return f"{self.number} ({what}{kind}{size}, UID ...{self.uid[-UID_TAIL:]})"


@dataclass(frozen=True)
class Choice:
    """The series to read.

    Attributes:
        series: itself.
        block: which of its blocks of slices, from 1 on; None where that was not said.
        notes: sentences that the user should see.
    """

    series: Series
    block: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SeriesFolder:
    """All image series in a folder and those below it.

    Attributes:
        path: the folder. series: by number.
        damaged: files that should be slices and are too damaged to say of which series.
    """

    path: Path
    series: tuple[Series, ...]
    damaged: tuple[Path, ...] = ()

    def choose(self, wanted: str | None) -> Choice:
        """The series whose number, UID or UID tail is ``wanted``, the only one where that is None.

        A point and a number after a series number choose one of its blocks, as in "2.1".

        Raises:
            JobError: no series fits, or there are several to choose from, and the message lists them; or the chosen
                one has a damaged file.
        """
        choice = self._choose(wanted)
        if choice.series.damaged:
            raise damaged(choice.series.damaged[0])
        if self.damaged and len(self.series) == 1:
            raise damaged(self.damaged[0])
        lost, captures = self.damaged, choice.series.captures
        notes = (
            *_note(lost, "is damaged and does not say of which series it is", "are damaged and do not say of which"),
            *_note(captures, "is a secondary capture or localizer", "are secondary captures or localizers"),
        )
        return Choice(choice.series, choice.block, notes)

    def _choose(self, wanted: str | None) -> Choice:
        one_of_them = OtherOption("series", f"one with {{}} N: {'; '.join(map(str, self.series))}")
        if wanted is None:
            if len(self.series) > 1:
                raise JobError(f"{self.path} holds {len(self.series)} series", one_of_them)
            return Choice(self.series[0])
        wanted = wanted.strip().lstrip(".…")
        fitting = [s for s in self.series if wanted in (str(s.number), s.uid)]
        if not fitting and len(wanted) >= UID_TAIL:
            fitting = [s for s in self.series if s.uid.endswith(wanted)]
        block = None
        if not fitting and (part := re.fullmatch(r"(\d+)\.(\d{1,3})", wanted)):
            fitting, block = [s for s in self.series if str(s.number) == part[1]], int(part[2])
        if len(fitting) != 1:
            raise JobError(f'{self.path} holds no series "{wanted}"', one_of_them)
        return Choice(fitting[0], block)


def is_dicom(path: Path) -> bool:
    """Whether a file bears the DICOM mark.

    Raises:
        OSError: the file cannot be opened.
    """
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def find_series(folder: Path) -> SeriesFolder:
    """All image series in a folder and those below it, by number.

    The number is the SeriesNumber that viewers show, where every series has one of its own; otherwise the place in
    the list, from 1. A copy of an image (same SOPInstanceUID and place) counts once. Hidden files are passed over.

    Raises:
        JobError: there are none.
        OSError: a file cannot be read.
    """
    found: dict[str, dict[tuple[str, ImagePlane | None], Slice]] = defaultdict(dict)
    about: dict[str, dict[str, str]] = {}
    broken: dict[str | None, list[Path]] = defaultdict(list)
    for path in _files(folder):
        try:
            tags, image = read_tags(path)
        except DamagedFileError as error:
            broken[error.series_uid].append(error.path)
            continue
        if image is None:
            continue
        uid = tags.get("0020|000e", "")
        found[uid].setdefault((tags.get("0008|0018", str(path)), image.plane), image)
        about.setdefault(uid, tags)
    if not found and broken:
        raise damaged(next(iter(broken.values()))[0])
    if not found:
        raise JobError(
            f"{folder} holds no DICOM images; name the folder of a DICOM series, or a NRRD, MHA or NIfTI file."
        )
    stated = {uid: int(n) for uid in found if (n := about[uid].get("0020|0011", "")).isdigit()}
    uids = sorted(found, key=lambda uid: (stated.get(uid, math.inf), uid))
    own = len(set(stated.values())) == len(found)
    series = []
    for place, uid in enumerate(uids, start=1):
        slices, captures = _without_captures(tuple(found[uid].values()))
        series.append(
            Series(
                number=stated[uid] if own else place,
                uid=uid,
                description=about[uid].get("0008|103e", ""),
                modality=about[uid].get("0008|0060", ""),
                slices=slices,
                captures=tuple(s.path for s in captures),
                damaged=tuple(broken.get(uid, ())),
            )
        )
    lost = [path for uid, paths in broken.items() if uid not in found for path in paths if uid is None]
    return SeriesFolder(folder, tuple(series), tuple(lost))


def _without_captures(images: tuple[Slice, ...]) -> tuple[tuple[Slice, ...], tuple[Slice, ...]]:
    """The slices among the images of a series, and the others; all of them where there is nothing else.

    An image of another class that lies among the slices is one of them, whose class is damaged.
    """
    ct = next((s for s in images if s.sop_class in CT_CLASSES and not s.is_localizer), None)
    others = [
        s
        for s in images
        if s.is_capture
        or s.is_localizer
        or (ct and s.sop_class and s.sop_class not in CT_CLASSES and not s.lies_parallel_to(ct))
    ]
    if len(others) == len(images):
        return images, ()
    return tuple(s for s in images if s not in others), tuple(others)


def _files(folder: Path) -> Iterator[Path]:
    def fail(error: OSError) -> None:
        raise error

    for parent, folders, names in os.walk(folder, onerror=fail):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        yield from (Path(parent, name) for name in sorted(names) if not name.startswith("."))


def _note(paths: tuple[Path, ...], one: str, several: str) -> tuple[str, ...]:
    """The sentence that files were left out, if there are any."""
    if not paths:
        return ()
    if len(paths) == 1:
        return (f"{paths[0].name} {one}, and was left out.",)
    return (f"{len(paths)} files, such as {paths[0].name}, {several}, and were left out.",)
