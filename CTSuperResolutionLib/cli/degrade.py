"""ctsr degrade: make a low-resolution volume from a CT, as a scanner with larger voxels would have seen it.

By default the paper's protocol: a Gaussian blur of one voxel and a Lanczos-5 sinc along each axis. HU are clipped to
[-1024, 3071]; sides are cut to a multiple of the factors. The header of the file says how it was made.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from CTSuperResolutionLib.cli.arguments import add_input_options
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.events import Reporter
from CTSuperResolutionLib.job.job import Job
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.job.refinement import parse_scale, whole_factors
from CTSuperResolutionLib.output.apart import require_apart
from CTSuperResolutionLib.output.folder import OutputFolder
from CTSuperResolutionLib.output.report import file_name, header_entries


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("input", metavar="INPUT", help="the scan")
    parser.add_argument("output", metavar="OUTPUT", help="the file to write, ending in .nrrd")
    parser.add_argument(
        "--scale", default="4", help="a whole factor from 2 to 10, or three z,y,x such as 4,1,1 (default 4)"
    )
    parser.add_argument(
        "--blur", default=1.0, metavar="SIGMA", help="deviation of the Gaussian blur, in voxels of INPUT (default 1)"
    )
    parser.add_argument(
        "--kernel",
        default="lanczos",
        choices=("lanczos", "mean"),
        help="Lanczos-5 sinc after the blur, or mean over blocks",
    )
    parser.add_argument("--noise", type=float, default=0.0, metavar="HU", help="standard deviation of noise to add")
    parser.add_argument("--seed", type=int, default=0, help="of the noise (default 0)")
    add_input_options(parser)


def execute(options: argparse.Namespace, progress: Reporter) -> dict[str, Any]:
    """Run the command."""
    settings = {"blur": options.blur, "psf": options.kernel}
    method = Method(scale=options.scale, seed=options.seed, settings=settings)
    reading = {name: getattr(options, name) for name in ("series", "allow_unusual", "untilt")}
    job = Job(method, options.input, options.output, **reading)
    output = Path(job.output)
    factors = whole_factors(parse_scale(options.scale))
    if output.suffix != ".nrrd":
        raise JobError(f"The output {output} is to be a NRRD file; let its name end in .nrrd.")
    if not 0 <= options.noise < 1e4:
        raise JobError(f"The noise is a standard deviation in HU of 0 or more, not {options.noise:g}.")
    require_apart(job.input, output.parent, progress.note)
    folder = OutputFolder(output.parent)
    progress.cancellation.on_kill(folder.discard)
    with folder:
        folder.require_replaceable([output.name], job.input)
        progress.stage("degrade", 3)
        from CTSuperResolutionLib.degradation.simulation import degrade
        from CTSuperResolutionLib.volume.reading import read_volume
        from CTSuperResolutionLib.volume.writing import write_volume

        scan = read_volume(
            job.input, series=job.series, allow_unusual=job.allow_unusual, untilt=job.untilt, note=progress.note
        )
        progress.advance()
        numbers = method.parameters
        coarse = degrade(scan, factors, kernel=numbers.psf, blur=numbers.blur, noise_hu=options.noise, seed=method.seed)
        progress.advance()
        done = {
            "command": "degrade",
            "input": file_name(job.input),
            "scale": method.scale,
            "kernel": numbers.psf,
            "blur": numbers.blur,
            "noise_hu": options.noise,
            "seed": method.seed,
            "series": job.series,
            "allow_unusual": job.allow_unusual,
        }
        write_volume(coarse, folder.file(output.name), metadata=header_entries("degraded", done))
        progress.advance()
        progress.cancellation.close()
        files = folder.publish()
    (path,) = files.values()
    return {"file": str(path.resolve()), "shape": list(coarse.shape), "spacing_mm": list(coarse.spacing)}


def describe(found: dict[str, Any]) -> str:
    """The result as a terminal shows it."""
    spacing = " x ".join(f"{s:g}" for s in found["spacing_mm"])
    return f"{' x '.join(map(str, found['shape']))} voxels of {spacing} mm (z, y, x)\n  {found['file']}"
