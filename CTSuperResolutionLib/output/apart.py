"""Separation of results from DICOM slices: a folder of them is somebody's record, and nothing is added to it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from CTSuperResolutionLib.errors import JobError


def require_apart(scan: Path | str, output: Path | str, note: Callable[[str], None]) -> None:
    """Keep results out of a folder of DICOM slices; an output folder inside it is pointed out.

    Args:
        scan: a file, or a folder of slices.
        output: the folder of the results.
        note: takes the sentence that points it out.

    Raises:
        JobError: they are to go among the slices.
    """
    if not os.path.isdir(scan):
        return
    slices, results = os.path.realpath(scan), os.path.realpath(output)
    if results == slices:
        raise JobError(f"The results would go among the slices of {scan}; choose another folder for them.")
    if Path(slices) in Path(results).parents:
        note(f"The results go into {output}, which lies inside the scan's own folder {scan}.")
