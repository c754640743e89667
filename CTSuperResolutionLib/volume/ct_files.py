"""CT files of a folder, by their names without endings."""

from __future__ import annotations

from pathlib import Path

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.volume.reading import FORMATS


def find_cts(place: Path) -> dict[str, Path]:
    """CT files by their names without endings, in order: those of a folder, not below it, or one file.

    Raises:
        JobError: there is none, or two have one name.
    """
    if place.is_file():
        return {stem(place): place}
    if not place.is_dir():
        raise JobError(f"There is no folder or file {place}; name a folder of CTs.")
    try:
        paths = sorted(path for path in place.iterdir() if path.is_file() and not path.name.startswith("."))
    except OSError as error:
        raise JobError(f"The folder {place} cannot be read ({error.strerror}); choose another one.") from None
    found: dict[str, Path] = {}
    for path in paths:
        if not path.name.lower().endswith(tuple(FORMATS)):
            continue
        if stem(path) in found:
            raise JobError(f"{found[stem(path)].name} and {path.name} have one name in {place}; rename one of them.")
        found[stem(path)] = path
    if not found:
        raise JobError(f"There is no CT in {place}; put NRRD, MHA or NIfTI files into it.")
    return found


def stem(path: Path) -> str:
    """The name of a file without the ending of its format."""
    endings = [ending for ending in FORMATS if path.name.lower().endswith(ending)]
    return path.name[: -len(max(endings, key=len))] if endings else path.stem
