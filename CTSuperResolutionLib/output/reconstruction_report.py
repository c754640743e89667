"""Report of a reconstruction: result.json with its provenance, and the volumes and the figure that it lists."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.output.folder import SUMMARY, OutputFolder
from CTSuperResolutionLib.output.matplotlib_folder import matplotlib_folder
from CTSuperResolutionLib.output.report import NOT_FOR_DIAGNOSIS, file_name, header_entries

if TYPE_CHECKING:
    from CTSuperResolutionLib.reconstruction.projections import Projections
    from CTSuperResolutionLib.reconstruction.reconstruct import Reconstruction, ReconstructionMethod
    from CTSuperResolutionLib.volume.volume import Volume

VOLUME, FDK, FIGURE = "reconstruction.nrrd", "fdk.nrrd", "reconstruction.png"
RECONSTRUCTION_FILES = (VOLUME, FDK, FIGURE, SUMMARY)
UNITS = ("hu", "attenuation")


def write_reconstruction(
    folder: OutputFolder,
    projections: Projections,
    found: Reconstruction,
    method: ReconstructionMethod,
    progress: Progress,
    *,
    asked: dict[str, Any],
    reference: Volume | None,
) -> dict[str, Any]:
    """Write reconstruction.nrrd, fdk.nrrd, reconstruction.png and result.json into the staging folder.

    Args:
        folder: where to. projections: what was reconstructed. found: what came of it. method: how.
        progress: advanced by three; its record of the stages goes into the report.
        asked: ``projections`` by path, ``unit`` of :data:`UNITS`, and entries for the report.
        reference: the truth on the same grid, where it is known.

    Returns:
        The report, as it stands in result.json.
    """
    from CTSuperResolutionLib import machine
    from CTSuperResolutionLib.volume.writing import write_volume

    with matplotlib_folder(folder.staging):
        from CTSuperResolutionLib.output.reconstruction_figure import reconstruction_figure

    geometry, unit = projections.geometry, asked["unit"]
    job = {
        "command": "reconstruct",
        "input": file_name(str(asked["projections"])),
        "method": method.name,
        "settings": dict(method.settings),
        "seed": method.seed,
        "unit": unit,
    }
    report: dict[str, Any] = {
        "note": NOT_FOR_DIAGNOSIS,
        "versions": machine.versions(),
        "platform": platform.platform(),
        "job": job,
        "seed": method.seed,
        "parameters": asdict(method.parameters),
        "scan": {
            "beam": "cone" if geometry.is_cone else "parallel",
            "views": geometry.views,
            "detector_shape": list(geometry.detector_shape),
            "water_per_mm": projections.water_per_mm,
        },
        "notes": list(projections.notes),
        "output": {
            "shape": list(found.volume.shape),
            "spacing_mm": list(found.volume.spacing),
            "origin_mm": list(found.volume.origin),
            "direction": list(found.volume.direction),
        },
        **found.report,
        **{name: value for name, value in asked.items() if name not in ("projections", "unit")},
    }
    for name, volume in ((VOLUME, found.volume), (FDK, found.fdk)):
        metadata = header_entries(Path(name).stem, job)
        if unit == "hu":
            write_volume(volume, folder.file(name), metadata=metadata)
        else:
            per_mm = volume.with_array((1 + volume.array / 1000) * projections.water_per_mm)
            write_volume(per_mm, folder.file(name), integer=False, metadata={**metadata, "CTSR_unit": "1/mm"})
        progress.advance()
    title = f"{method.name}, {geometry.views} views, {report['scan']['beam']} beam"
    reconstruction_figure(found.volume, found.fdk, folder.file(FIGURE), title=title, reference=reference)
    progress.advance()
    stages = progress.stages()
    report |= {
        "files": list(RECONSTRUCTION_FILES),
        "stages": stages,
        "seconds": round(sum(stage["seconds"] for stage in stages.values()), 3),
        "peak_mb": max((stage["peak_mb"] for stage in stages.values()), default=None),
    }
    text = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
    folder.file(SUMMARY).write_text(text, encoding="utf-8", errors="backslashreplace")  # names need not be UTF-8
    return report
