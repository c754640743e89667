"""ctsr simulate: scan a CT with few views, as a cone-beam or parallel-beam scanner with noise would see it.

OUT_DIR gets projections.nrrd (line integrals, axes u, v, view), geometry.json and truth.nrrd, the CT on the grid that
was projected. 'ctsr reconstruct OUT_DIR …' takes it from there. A tenth of the dose is a tenth of --photons.
"""

from __future__ import annotations

import argparse
from typing import Any

from CTSuperResolutionLib.cli.arguments import add_input_options, parse_crop
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.events import Reporter
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.output.apart import require_apart
from CTSuperResolutionLib.output.folder import OutputFolder
from CTSuperResolutionLib.output.report import file_name, header_entries

TRUTH = "truth.nrrd"
LARGEST_CROP = 99999
FEWEST_VOXELS = 4  # along every axis: fewer are no volume


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    option = parser.add_argument
    option("input", metavar="INPUT", help="the CT")
    option("output", metavar="OUT_DIR", help="folder for the projections")
    option(
        "--views", type=int, default=36, metavar="N", help="over a full turn, parallel over half of one (default 36)"
    )
    option("--geometry", default="cone", metavar="BEAM", help="cone or parallel (default cone)")
    option(
        "--photons", type=float, default=1e5, metavar="I0", help="a pixel, without object; 0: no noise (default 1e5)"
    )
    option("--electronic", type=float, default=10.0, metavar="SD", help="noise in photons (default 10)")
    option("--source-to-axis", type=float, default=1000.0, metavar="MM", help="of a cone beam (default 1000)")
    option("--source-to-detector", type=float, default=1500.0, metavar="MM", help="of a cone beam (default 1500)")
    option("--iso", type=float, default=0.0, metavar="MM", help="bring the CT to this spacing first; 0 keeps its own")
    option("--crop", metavar="Z,Y,X", help="most voxels of it, around the middle (default all)")
    option("--intensities", action="store_true", help="write intensities in place of line integrals")
    option("--seed", type=int, default=0, help="of the noise (default 0)")
    add_input_options(parser)


def execute(options: argparse.Namespace, progress: Reporter) -> dict[str, Any]:
    """Run the command."""
    seed = Method(seed=options.seed).seed
    crop = (LARGEST_CROP,) * 3 if options.crop is None else parse_crop(options.crop)
    if not 0 <= options.iso <= 100:
        raise JobError(f"--iso is to be from 0 to 100 mm, not {options.iso:g}.")
    from CTSuperResolutionLib.evaluation.protocol import EvaluationProtocol
    from CTSuperResolutionLib.reconstruction.simulated_scan import SimulatedScan
    from CTSuperResolutionLib.reconstruction.simulation import simulate
    from CTSuperResolutionLib.reconstruction.writing import WRITTEN, write_projections
    from CTSuperResolutionLib.volume.reading import read_volume
    from CTSuperResolutionLib.volume.writing import write_volume

    scan = SimulatedScan(
        views=options.views,
        beam=options.geometry,
        photons=options.photons,
        electronic=options.electronic,
        source_distance=options.source_to_axis,
        detector_distance=options.source_to_detector,
        seed=seed,
    )
    require_apart(options.input, options.output, progress.note)
    folder = OutputFolder(options.output, alone=True)
    progress.cancellation.on_kill(folder.discard)
    with folder:
        folder.require_replaceable((*WRITTEN, TRUTH), options.input)
        progress.stage("read")
        reading = {name: getattr(options, name) for name in ("series", "allow_unusual", "untilt")}
        ct = EvaluationProtocol(options.iso, crop, 0.0, 0.0, 0).reference(
            read_volume(options.input, **reading, note=progress.note)
        )
        if min(ct.shape) < FEWEST_VOXELS:
            raise JobError(
                f"{' x '.join(map(str, ct.shape))} voxels of the CT are left to project, and at least {FEWEST_VOXELS} "
                "are needed along every axis; give a smaller --iso or a larger --crop."
            )
        progress.stage("project", scan.views)
        projections = simulate(ct, scan, progress)
        for note in projections.notes:
            progress.note(note)
        progress.stage("write", scan.views + 1)
        made = {"command": "simulate", "input": file_name(options.input), **vars(scan)}
        i0 = (scan.photons or 1.0) if options.intensities else None
        metadata = header_entries("projections", made)
        with folder.writing():
            write_projections(projections, folder.staging, i0=i0, made=made, metadata=metadata, progress=progress)
            write_volume(ct, folder.file(TRUTH), metadata=header_entries("truth", made))
        progress.advance()
        progress.cancellation.close()
        files = folder.publish()
    return {
        "files": {name: str(path.resolve()) for name, path in files.items()},
        "shape": list(projections.integrals.shape),
        "beam": scan.beam,
        "volume_shape": list(ct.shape),
        "spacing_mm": list(ct.spacing),
    }


def describe(found: dict[str, Any]) -> str:
    """The result as a terminal shows it."""
    views, rows, columns = found["shape"]
    first = f"{views} views of {rows} x {columns} pixels (v, u), {found['beam']} beam"
    return "\n".join([first, *(f"  {path}" for path in found["files"].values())])
