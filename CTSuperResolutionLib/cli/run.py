"""ctsr run: super-resolve a CT.

INPUT is a NRRD, MHA or NIfTI file or a DICOM folder. OUT_DIR gets sr.nrrd, cubic.nrrd (the cubic upsampling on the
same grid), result.json and compare.png, all of them or none; with --set samples=2 or more also uncertainty.nrrd, the
standard deviation over the prior's samples in HU.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from CTSuperResolutionLib.cli.arguments import add_input_options, add_method_options, add_region_option, job_of
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.events import Reporter
from CTSuperResolutionLib.job.job import Job
from CTSuperResolutionLib.output.run_job import run_job


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("input", nargs="?", metavar="INPUT", help="the scan")
    parser.add_argument("output", nargs="?", metavar="OUT_DIR", help="folder for the results")
    parser.add_argument("--job", metavar="FILE", help="take the whole job from a job.json instead")
    add_method_options(parser)
    add_region_option(parser)
    add_input_options(parser)


def execute(options: argparse.Namespace, progress: Reporter) -> dict[str, Any]:
    """Run the command."""
    job = _job(options)

    def find(_: object) -> Any:
        from CTSuperResolutionLib.volume.reading import open_scan

        return open_scan(Path(job.input), series=job.series, allow_unusual=job.allow_unusual, untilt=job.untilt)

    return run_job(job, progress, find)


def describe(found: dict[str, Any]) -> str:
    """The result as a terminal shows it."""
    shape, spacing = found["shape"], found["spacing_mm"]
    return "\n".join(
        [
            f"{' x '.join(map(str, shape))} voxels of {' x '.join(f'{s:g}' for s in spacing)} mm (z, y, x)",
            *(f"  {path}" for path in found["files"].values()),
        ]
    )


def _job(options: argparse.Namespace) -> Job:
    if options.job is None:
        if options.input is None or options.output is None:
            raise JobError("Name the scan and a folder for the results, as in 'ctsr run scan.nrrd results'.")
        return job_of(options, options.input, options.output)
    if options.input is not None:
        raise JobError("Give either a scan and a folder or --job, not both.")
    try:
        text = Path(options.job).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise JobError(f"The job file {options.job} cannot be read ({error}); check its path.") from None
    return Job.from_json(text)
