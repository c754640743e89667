"""ctsr reconstruct: make a volume from few projections.

PROJECTIONS is a stack (NRRD, MHA or NPY) with its geometry beside it, as JSON or RTK's XML, or a folder that
'ctsr simulate' wrote. OUT_DIR gets reconstruction.nrrd, fdk.nrrd (filtered backprojection on the same grid),
reconstruction.png and result.json, all of them or none.
"""

from __future__ import annotations

import argparse
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from CTSuperResolutionLib.errors import JobError, unknown
from CTSuperResolutionLib.job.events import Reporter
from CTSuperResolutionLib.job.method import parse_settings
from CTSuperResolutionLib.job.parameters import Parameter
from CTSuperResolutionLib.output.folder import OutputFolder
from CTSuperResolutionLib.output.reconstruction_report import RECONSTRUCTION_FILES, UNITS, write_reconstruction

if TYPE_CHECKING:
    from CTSuperResolutionLib.reconstruction.projections import VolumePlace
    from CTSuperResolutionLib.volume.volume import Volume

SAME_SPACING = 1e-3  # of a reference, relative to the reconstruction's


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    from CTSuperResolutionLib.reconstruction.methods import DEFAULT_METHOD, METHODS
    from CTSuperResolutionLib.reconstruction.settings import PARAMETERS

    option = parser.add_argument
    option("projections", metavar="PROJECTIONS", help="stack of projections, or the folder of a simulated scan")
    option("output", metavar="OUT_DIR", help="folder for the results")
    option("--method", default=DEFAULT_METHOD, help=f"of those below (default {DEFAULT_METHOD})")
    option("--prior", metavar="FOLDER", help="slice fixer of diffnr, in place of the shipped one")
    option("--geometry", type=Path, metavar="FILE", help="JSON or RTK's XML, where it does not lie beside the stack")
    option("--size", metavar="Z,Y,X", help="voxels of the volume, in place of what the geometry states")
    option("--spacing", metavar="MM", help="of its voxels: one length or z,y,x")
    option("--unit", default="hu", help="hu, or attenuation for attenuation per mm (default hu)")
    option("--reference", metavar="FILE", help="the truth on the same grid, to compare with, such as truth.nrrd")
    option("--device", default="auto", help="auto, cpu or cuda (default auto)")
    option("--seed", type=int, default=0, help="of all random numbers (default 0)")
    option("--set", action="append", default=[], metavar="NAME=VALUE", help="set a parameter below; may be repeated")
    methods = "\n".join(f"  {name:<18} {what}" for name, what in METHODS.items())
    table = "\n".join(f"  {p.name:<18} {p.defaults['default']:<8} {p.help} ({_limits(p)})" for p in PARAMETERS.values())
    parser.epilog = f"methods:\n{methods}\n\nparameters:\n{table}"


def _limits(parameter: Parameter) -> str:
    return "|".join(parameter.choices) or f"{parameter.low:g} to {parameter.high:g} {parameter.unit}".strip()


def execute(options: argparse.Namespace, progress: Reporter) -> dict[str, Any]:
    """Run the command."""
    from CTSuperResolutionLib.reconstruction.methods import ReconstructionMethod

    settings = parse_settings(options.set)
    method = ReconstructionMethod(options.method, settings, options.prior, options.seed, options.device)
    if options.unit not in UNITS:
        raise unknown("unit", options.unit, UNITS)
    shape, spacing = _size(options.size), _spacing(options.spacing)
    folder = OutputFolder(options.output, alone=True)
    progress.cancellation.on_kill(folder.discard)
    with folder:
        folder.require_replaceable(RECONSTRUCTION_FILES, options.projections)
        progress.stage("load")
        from CTSuperResolutionLib.reconstruction.reading import read_projections
        from CTSuperResolutionLib.reconstruction.reconstruct import reconstruct
        from CTSuperResolutionLib.volume.reading import read_volume

        projections = read_projections(Path(options.projections), options.geometry, shape=shape, spacing=spacing)
        for note in projections.notes:
            progress.note(note)
        reference = None if options.reference is None else read_volume(options.reference)
        if reference is not None:
            _require_same_grid(reference, projections.place)
        progress.advance()
        found = reconstruct(projections, method, progress=progress)
        progress.stage("write", 3)
        asked: dict[str, Any] = {"projections": options.projections, "unit": options.unit}
        if reference is not None:
            asked["scores"] = {"fdk": _scores(found.fdk, reference), method.name: _scores(found.volume, reference)}
        with folder.writing():
            report = write_reconstruction(
                folder, projections, found, method, progress, asked=asked, reference=reference
            )
        progress.cancellation.close()
        files = folder.publish()
    return {
        "files": {name: str(path.resolve()) for name, path in files.items()},
        "shape": list(found.volume.shape),
        "spacing_mm": list(found.volume.spacing),
        "report": report,
    }


def describe(found: dict[str, Any]) -> str:
    """The result as a terminal shows it."""
    rows = [f"{' x '.join(map(str, found['shape']))} voxels (z, y, x)"]
    for name, score in found["report"].get("scores", {}).items():
        rows.append(f"  {name:<12} {score['psnr_db']:6.2f} dB   SSIM {score['ssim_3d']:.4f}")
    return "\n".join([*rows, *(f"  {path}" for path in found["files"].values())])


def _require_same_grid(reference: Volume, place: VolumePlace) -> None:
    """Check that a reference has the reconstruction's voxels; where it lies as a whole is the scanner's affair."""
    same_size = reference.shape == place.grid.shape
    if not same_size or not all(map(_alike, reference.spacing, place.grid.spacing)):
        theirs, ours = (
            f"{' x '.join(map(str, shape))} voxels of {' x '.join(f'{mm:.4g}' for mm in spacing)} mm"
            for shape, spacing in ((reference.shape, reference.spacing), (place.grid.shape, place.grid.spacing))
        )
        raise JobError(f"The reference has {theirs} and the reconstruction {ours}; give one on the same grid.")


def _alike(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=SAME_SPACING)


def _scores(volume: Volume, reference: Volume) -> dict[str, float]:
    from CTSuperResolutionLib.evaluation.sparse_view_scores import sparse_view_scores

    return {name: round(value, 4) for name, value in sparse_view_scores(volume, reference).items()}


def _size(text: str | None) -> tuple[int, int, int] | None:
    if text is None:
        return None
    sides = re.fullmatch(r"([1-9]\d{0,3}),([1-9]\d{0,3}),([1-9]\d{0,3})", text.replace(" ", ""))
    if sides is None:
        raise JobError(f"The size '{text}' is not three numbers of voxels z,y,x such as 128,128,128.")
    return int(sides[1]), int(sides[2]), int(sides[3])


def _spacing(text: str | None) -> tuple[float, float, float] | None:
    if text is None:
        return None
    try:
        lengths = [float(part) for part in text.split(",")]
    except ValueError:
        lengths = []
    if len(lengths) not in (1, 3) or not all(0.01 <= length <= 100 for length in lengths):
        raise JobError(f"The spacing '{text}' is not one length, or three z,y,x, from 0.01 to 100 mm.")
    z, y, x = lengths * (3 // len(lengths))
    return z, y, x
