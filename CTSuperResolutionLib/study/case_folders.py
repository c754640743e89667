"""Cases of a study in folders: one for each, in which images are named after their methods. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from CTSuperResolutionLib.errors import JobError

ENDINGS = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")
"""Of image files. A folder in a case's folder holds DICOM slices."""


def cases_in(folder: Path) -> dict[str, dict[str, Path]]:
    """The images of every case: by the case's folder, and by method.

    What a job has written is such a case: ``sr.nrrd`` and ``cubic.nrrd`` beside other files, which are left out.

    Raises:
        JobError: the folder cannot be read, or has no such folders in it.
    """
    try:
        cases = {place.name: _images_in(place) for place in sorted(folder.iterdir()) if _is_shown_folder(place)}
    except OSError as error:
        raise JobError(f"The folder of cases {folder} cannot be read ({error.strerror}); name one that can.") from None
    found = {name: images for name, images in cases.items() if images}
    if not found:
        raise JobError(
            f"There are no cases in {folder}; make a folder for each, with images that are named after their methods."
        )
    return found


def methods_of(cases: Mapping[str, Mapping[str, object]]) -> tuple[str, ...]:
    """The methods of which every case has an image, in order of their names."""
    return tuple(sorted(set.intersection(*(set(images) for images in cases.values()))))


def _images_in(place: Path) -> dict[str, Path]:
    found = {}
    for path in sorted(place.iterdir()):
        ending = next((ending for ending in ENDINGS if path.name.lower().endswith(ending)), None)
        if _is_shown_folder(path):
            found[path.name] = path
        elif ending is not None and path.is_file():
            found[path.name[: -len(ending)]] = path
    return found


def _is_shown_folder(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith(".")
