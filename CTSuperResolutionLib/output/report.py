"""Report of a job: result.json with its provenance, and the volumes and the figure that it lists."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from CTSuperResolutionLib import __version__
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.job import Job
from CTSuperResolutionLib.job.priors import prior_name
from CTSuperResolutionLib.output.folder import SUMMARY, OutputFolder
from CTSuperResolutionLib.output.matplotlib_folder import matplotlib_folder
from CTSuperResolutionLib.output.page import result_page

if TYPE_CHECKING:
    from CTSuperResolutionLib.pipeline import Result
    from CTSuperResolutionLib.volume.volume import Volume

NOT_FOR_DIAGNOSIS = "Made by CTSuperResolution for research; not for diagnosis."
MEASURED = "measured.nrrd"  # where the job asks for it
UNCERTAINTY = "uncertainty.nrrd"  # where there were several samples
ERROR = "error_90.nrrd"  # where the job asks for it and it can be found out
PICTURE, PAGE = "compare.png", "report.html"
RESULTS = ("sr.nrrd", "cubic.nrrd", MEASURED, UNCERTAINTY, ERROR, PICTURE, PAGE, SUMMARY)


def write_results(
    folder: OutputFolder,
    scan: Volume,
    result: Result,
    job: Job,
    progress: Progress,
    *,
    extra: dict[str, Any],
    picture: bool,
    error: Volume | None = None,
) -> dict[str, Any]:
    """Write sr.nrrd, cubic.nrrd and result.json into the staging folder.

    And measured.nrrd if the job asks for it, uncertainty.nrrd and error_90.nrrd if known, compare.png and report.html
    if wanted.

    What an earlier run left and this one does not make is dropped from the folder.

    Args:
        folder: where to.
        scan: the region that was worked on.
        result: what came of it.
        job: what was asked for.
        progress: advanced by :func:`writing_steps`; its record of the stages goes into the report.
        extra: entries to add to the report.
        picture: whether compare.png and report.html, which shows it, are wanted.
        error: half the width of every voxel's interval, HU, if known.

    Returns:
        The report, as it stands in result.json.
    """
    from CTSuperResolutionLib.volume.writing import write_volume

    # An uncertainty is mostly of a few HU: not rounded to whole ones.
    volumes = [("sr", result.sr, True), ("cubic", result.cubic, True)]
    if job.method.parameters.has_measured:
        volumes.append((Path(MEASURED).stem, result.measured, True))
    if result.uncertainty is not None:
        volumes.append((Path(UNCERTAINTY).stem, result.uncertainty, False))
    if error is not None:
        volumes.append((Path(ERROR).stem, error, True))
    report = _report(scan, result, job) | extra
    for name, volume, integer in volumes:
        metadata, slices = header_entries(name, report["job"]), progress.in_parts(volume.shape[0])
        write_volume(volume, folder.file(f"{name}.nrrd"), integer=integer, metadata=metadata, progress=slices)
    if picture:
        _draw(folder, scan, result, job, report)
        page = result_page(report, folder.file(PICTURE).read_bytes())
        folder.file(PAGE).write_text(page, encoding="utf-8", errors="backslashreplace")
        progress.advance()
    files = [*sorted(entry.name for entry in folder.staging.iterdir()), SUMMARY]
    for name in _earlier_files(folder.path):
        if name not in files:
            folder.drop(name)
    stages = progress.stages()
    report |= {
        "files": files,
        "stages": stages,
        "seconds": round(sum(stage["seconds"] for stage in stages.values()), 3),
        "peak_mb": max((stage["peak_mb"] for stage in stages.values()), default=None),
    }
    text = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
    folder.file(SUMMARY).write_text(text, encoding="utf-8", errors="backslashreplace")  # names need not be UTF-8
    return report


def _draw(folder: OutputFolder, scan: Volume, result: Result, job: Job, report: Mapping[str, Any]) -> None:
    """Write compare.png."""
    with matplotlib_folder(folder.staging):
        from CTSuperResolutionLib.output.comparison_figure import compare_figure

    method = job.method
    title = f"CT super-resolution, {' x '.join(f'{s:.4g}' for s in report['scale'])} (z, y, x), preset {method.preset}"
    caption = f"Prior {report['job']['prior']}, seed {method.seed}, CTSuperResolution {__version__}."
    shown = scan, result.cubic, result.measured, result.sr
    compare_figure(*shown, folder.file(PICTURE), title=title, caption=caption)


def header_entries(volume: str, job: Mapping[str, Any]) -> dict[str, str]:
    """Entries for the header of a NRRD file that say where a volume comes from.

    Args:
        volume: what it is, such as "sr".
        job: what was done, as plain values; names and no paths, see :func:`file_name`.
    """
    return {
        "CTSR_note": NOT_FOR_DIAGNOSIS,
        "CTSR_version": __version__,
        "CTSR_job": json.dumps(job),
        "CTSR_volume": volume,
    }


def file_name(path: str) -> str:
    """Name of a file or folder, of "." as well: a result is handed on more often than its folders should be."""
    return Path(os.path.abspath(path)).name


def writing_steps(result: Result, job: Job, *, picture: bool, error: bool = False) -> int:
    """How often :func:`write_results` advances its progress: once for every volume, and for the picture."""
    return 2 + job.method.parameters.has_measured + (result.uncertainty is not None) + error + picture


def _earlier_files(folder: Path) -> list[str]:
    """Names of the results that an earlier run left in a folder, as far as its result.json lists them."""
    try:
        listed = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))["files"]
        return [name for name in RESULTS if name in listed]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _report(scan: Volume, result: Result, job: Job) -> dict[str, Any]:
    from CTSuperResolutionLib import machine

    described = job.to_dict() | {"input": file_name(job.input), "prior": prior_name(job.method.prior)}
    del described["output"]
    return {
        "note": NOT_FOR_DIAGNOSIS,
        "versions": machine.versions(),
        "platform": platform.platform(),
        "job": described,
        "seed": job.method.seed,
        "parameters": asdict(job.method.parameters),
        "input": _grid(scan) | _reading(scan),
        "output": _grid(result.sr),
        **result.report,
    }


def _reading(scan: Volume) -> dict[str, Any]:
    """What the file says beside its voxels, and how many of these were not measured."""
    scale = scan.value_scale
    return {
        "acquisition": scan.acquisition.stated,
        "not_measured": 0 if scan.valid is None else int(scan.valid.size - scan.valid.sum()),
        "value_scale": None if scale is None else {"slope": scale.slope, "intercept": scale.intercept},
    }


def _grid(volume: Volume) -> dict[str, Any]:
    """A grid as people read it, to a nanometre; the files have it exactly."""
    return {
        "shape": list(volume.shape),
        "spacing_mm": [round(mm, 6) for mm in volume.spacing],
        "origin_mm": [round(mm, 6) for mm in volume.origin],
        "direction": list(volume.direction),
    }
