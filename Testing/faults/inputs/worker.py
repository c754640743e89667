"""Worker that reads scans: its argument says whether by ``read_volume`` or by independent readers.

It takes a line of JSON a scan, ``path`` and where to put the result (``out``), and answers with one.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[3])]

MEMORY = 2 << 30
"""Bytes of address space that reading may take."""


def by_product() -> Callable[[Path], dict[str, Any]]:
    """Reading by the library."""
    from CTSuperResolutionLib.cli.wording import error_sentence
    from CTSuperResolutionLib.errors import JobError
    from CTSuperResolutionLib.volume.reading import read_volume

    def read(path: Path) -> dict[str, Any]:
        try:
            volume = read_volume(path)
        except JobError as error:
            return {"refused": error_sentence(error)}
        steps = np.reshape(volume.direction, (3, 3)) * volume.spacing[::-1]
        return {"readings": [(volume.array, steps, np.array(volume.origin))]}

    return read


def by_others() -> Callable[[Path], dict[str, Any]]:
    """Reading by independent readers."""
    from inputs.independent import dicom_reader, metaimage_reader, nifti_reader, nrrd_reader

    readers = {
        ".nrrd": nrrd_reader, ".nhdr": nrrd_reader, ".mha": metaimage_reader, ".mhd": metaimage_reader,
        ".nii": nifti_reader, ".gz": nifti_reader,
    }  # fmt: skip

    def read(path: Path) -> dict[str, Any]:
        try:
            found = (dicom_reader if path.is_dir() else readers[path.suffix]).read(path)
        except Exception as error:  # of many kinds: other readers do not promise any
            return {"refused": f"{type(error).__name__}: {error}"}
        return {"readings": [(r.array, r.steps, r.origin) for r in found]}

    return read


def answer(read: Callable[[Path], dict[str, Any]], request: dict[str, str]) -> dict[str, Any]:
    """What comes of one scan; its arrays go into a file."""
    try:
        found = read(Path(request["path"]))
    except BaseException as error:
        return {"error": f"{type(error).__name__}: {error}"}
    readings = found.pop("readings", [])
    if readings:
        names = ("array", "steps", "origin")
        np.savez(request["out"], **{f"{name}{k}": v for k, r in enumerate(readings) for name, v in zip(names, r)})  # noqa: B905
    return found


def main() -> None:
    """Answer until there is no more to read."""
    read = {"product": by_product, "others": by_others}[sys.argv[1]]()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    noise = os.memfd_create("noise")
    for stream in (1, 2):
        os.dup2(noise, stream)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for line in sys.stdin:
        found = answer(read, json.loads(line))
        sys.stderr.flush()
        if size := os.lseek(noise, 0, os.SEEK_END):
            found["noise"] = os.pread(noise, min(size, 500), 0).decode(errors="replace")
            os.ftruncate(noise, 0)
            os.lseek(noise, 0, os.SEEK_SET)
        answers.write(json.dumps(found) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
