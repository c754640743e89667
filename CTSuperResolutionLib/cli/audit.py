"""ctsr audit: look in a result for what was invented or lost, and for lesions of known size, where the truth is known.

  ctsr audit structure RESULT REFERENCE OUT   of a run's folder and the truth on its grid: patches that agree with the
                                              truth to a lower frequency than nearly all of cubic's (OUT/structure.md,
                                              structure.json, and where they are: structure.nrrd, 1 lost, 2 invented)
  ctsr audit lesions CT OUT                   lesions put into a CT, seen through a simulated scan of --scale, and
                                              looked for by a model observer in cubic, measured and super-resolved
                                              volumes and in the CT itself: d', size error, intervals (OUT/lesions.md,
                                              lesions.json)

The scan is simulated as by 'ctsr degrade', and the method is told so.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from CTSuperResolutionLib.cli.arguments import add_method_options, given_entries, require_action
from CTSuperResolutionLib.errors import JobError, unknown
from CTSuperResolutionLib.job.events import Reporter
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.job.refinement import whole_factors

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from CTSuperResolutionLib.volume.volume import Volume

ACTIONS = {"structure": 3, "lesions": 2}
"""How many paths each takes."""

MOST_CONTRAST_HU, MOST_NOISE_HU = 4000, 1000
VOLUMES = ("cubic", "measured", "sr")
FEWEST_PLACES, MOST_PLACES = 12, 500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("action", metavar="ACTION", help=f"one of {', '.join(ACTIONS)}")
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="as above")
    group = parser.add_argument_group("lesions")
    option = group.add_argument
    option("--kind", default="nodule", help="nodule or vessel (in lung) or calcification (default nodule)")
    option("--diameter", type=float, nargs="+", default=[3, 4, 6], metavar="MM", help="(default 3 4 6)")
    option("--contrast", type=float, nargs="+", default=[800], metavar="HU", help="above what is around (default 800)")
    option("--places", type=int, default=40, metavar="N", help="most copies of a lesion, 12 to 500 (default 40)")
    option("--noise", type=float, default=0.0, metavar="HU", help="standard deviation of noise in scans (default 0)")
    add_method_options(parser)


def execute(options: argparse.Namespace, progress: Reporter) -> dict[str, Any]:
    """Run the command."""
    require_action("audit", options, ACTIONS)
    return {"structure": _structure, "lesions": _lesions}[options.action](options, progress)


def describe(found: dict[str, Any]) -> str:
    """The result as a terminal shows it."""
    return "\n".join([found["table"], *(f"  {path}" for path in found["files"].values())])


def _structure(options: argparse.Namespace, progress: Reporter) -> dict[str, Any]:
    from CTSuperResolutionLib.audit.report import STRUCTURE_NOTE, structure_table
    from CTSuperResolutionLib.audit.structure import audit_structure
    from CTSuperResolutionLib.output.folder import OutputFolder
    from CTSuperResolutionLib.output.report import header_entries
    from CTSuperResolutionLib.volume.reading import read_volume
    from CTSuperResolutionLib.volume.writing import write_volume

    folder, reference, place = options.paths
    out = OutputFolder(place)
    progress.cancellation.on_kill(out.discard)
    with out:
        progress.stage("load", 1 + len(VOLUMES))
        truth = read_volume(str(reference), allow_unusual=True)
        progress.advance()
        volumes = {}
        for name in VOLUMES:
            path = folder / f"{name}.nrrd"
            if path.exists():
                volumes[name] = read_volume(str(path), allow_unusual=True)
                _require_same_grid(path, volumes[name], reference, truth)
            progress.advance()
        if not {"cubic", "sr"} <= volumes.keys():
            raise JobError(f"{folder} does not hold cubic.nrrd and sr.nrrd; name the output folder of a run.")
        progress.stage("audit", 3 * len(volumes))
        arrays = {name: volume.array for name, volume in volumes.items()}
        counts, flagged = audit_structure(arrays, truth.array, truth.spacing, progress)
        report = {name: count.report() for name, count in counts.items()}
        done = {"command": "audit structure", "result": folder.name, "reference": reference.name}
        map_ = truth.with_array(flagged.astype("float32"))
        write_volume(map_, out.file("structure.nrrd"), metadata=header_entries("audit", done))
        found = {"note": STRUCTURE_NOTE, "job": done, "volumes": report}
        return _published(out, "structure", found, structure_table(report))


def _lesions(options: argparse.Namespace, progress: Reporter) -> dict[str, Any]:
    from CTSuperResolutionLib.audit.experiment import LesionExperiment
    from CTSuperResolutionLib.audit.lesions import KINDS, Lesion
    from CTSuperResolutionLib.audit.report import LESION_NOTE, lesion_table
    from CTSuperResolutionLib.output.folder import OutputFolder
    from CTSuperResolutionLib.volume.reading import read_volume

    if options.kind not in KINDS:
        raise unknown("kind of lesion", options.kind, KINDS)
    if not FEWEST_PLACES <= options.places <= MOST_PLACES:
        raise JobError(f"--places is to be from {FEWEST_PLACES} to {MOST_PLACES}, not {options.places}.")
    if not all(0 < diameter <= 50 for diameter in options.diameter):  # of what is not a number neither holds
        raise JobError("A diameter is to be more than 0 and at most 50 mm.")
    if not all(0 < abs(contrast) <= MOST_CONTRAST_HU for contrast in options.contrast):
        raise JobError(f"A contrast is to be of at most {MOST_CONTRAST_HU} HU, up or down, and not 0.")
    if not 0 <= options.noise <= MOST_NOISE_HU:
        raise JobError(f"--noise is to be from 0 to {MOST_NOISE_HU} HU, not {options.noise:g}.")
    entries = {"scale": "4", **given_entries(options)}
    entries["settings"] = {"psf": "lanczos", **entries.get("settings", {})}
    method = Method(**entries)
    factors = whole_factors(method.scale)
    path, place = options.paths
    out = OutputFolder(place)
    progress.cancellation.on_kill(out.discard)
    with out:
        progress.stage("load")
        ct = read_volume(str(path))
        z, y, x = (slice(0, n // s * s) for n, s in zip(ct.shape, factors, strict=True))
        ct = ct.crop((z, y, x))
        dz, dy, dx = (d * s for d, s in zip(ct.spacing, factors, strict=True))
        lesions = [Lesion(options.kind, d, contrast) for contrast in options.contrast for d in options.diameter]
        experiment = LesionExperiment(ct, lesions, (dz, dy, dx), options.places, method.seed)
        progress.stage("audit", 1 + len(lesions))
        rows = experiment.run(lambda volume, seed: _upsampled(volume, method, options.noise, seed), progress)
        done = {"command": "audit lesions", "ct": path.name, "noise_hu": options.noise, "scale": method.scale,
                "preset": method.preset, "seed": method.seed}  # fmt: skip
        found = {"note": LESION_NOTE, "job": done, "lesions": rows}
        return _published(out, "lesions", found, lesion_table(rows))


def _upsampled(ct: Volume, method: Method, noise_hu: float, seed: int) -> Mapping[str, np.ndarray]:
    """What the method makes of a simulated scan of a CT, by name, and the CT itself: more than it holds is not seen."""
    from CTSuperResolutionLib.degradation.simulation import degrade
    from CTSuperResolutionLib.pipeline import super_resolve

    blur = method.parameters.blur
    scan = degrade(ct, whole_factors(method.scale), blur=blur, noise_hu=noise_hu, seed=seed)
    result = super_resolve(scan, method)
    return {name: getattr(result, name).array for name in VOLUMES} | {"reference": ct.array}


def _require_same_grid(path: Path, volume: Volume, reference: Path, truth: Volume) -> None:
    if not volume.lies_on_grid_of(truth):
        raise JobError(
            f"{reference} does not lie on the grid of {path}; resample it there first, or audit a scan that was made "
            "of it by 'ctsr degrade'."
        )


def _published(out: Any, name: str, report: dict[str, Any], table: str) -> dict[str, Any]:
    """Write an audit's table and its report, and say where they are."""
    out.file(f"{name}.md").write_text(f"{table}\n\n{report['note']}\n", encoding="utf-8")
    out.file(f"{name}.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    files = out.publish()
    return {"files": {key: str(path.resolve()) for key, path in files.items()}, "table": table, "report": report}
