"""ctsr run: super-resolve a CT.

INPUT is a NRRD, MHA or NIfTI file or a DICOM folder. OUT_DIR gets sr.nrrd, cubic.nrrd (the cubic upsampling on the
same grid), measured.nrrd (what the scan supports without a prior; not with --set measured=no), result.json,
compare.png and report.html (a page to print), all of them or none; with --set samples=2 or more also uncertainty.nrrd,
the standard deviation over the prior's samples in HU; with --set error=yes, of thick slices, also error_90.nrrd, the HU
that nine of ten voxels are right to.

A scan that is too large for the memory is worked on in slabs, whose results are kept in OUT_DIR until they are put
together. Where the process was killed, the same command goes on with the slabs that are missing.

With --job, options take the place of the job file's entries: INPUT and OUT_DIR too, where both are given, and --set of
the settings that it names. result.json says which.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from CTSuperResolutionLib.cli.arguments import (
    add_input_options,
    add_memory_option,
    add_method_options,
    add_region_option,
    given_entries,
    job_of,
)
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.events import Reporter
from CTSuperResolutionLib.job.job import Job, parse_job_file
from CTSuperResolutionLib.output.run_job import find_scan, run_job

MAX_JOB_FILE = 1 << 20  # bytes; a job is a thousandth of that


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("input", nargs="?", metavar="INPUT", help="the scan")
    parser.add_argument("output", nargs="?", metavar="OUT_DIR", help="folder for the results")
    parser.add_argument("--job", metavar="FILE", help="take the job from a job.json, where no option says otherwise")
    add_method_options(parser)
    add_region_option(parser)
    add_memory_option(parser)
    parser.add_argument(
        "--fresh", action="store_true", help="begin anew where an unfinished run of the same job has left slabs"
    )
    add_input_options(parser)


def execute(options: argparse.Namespace, progress: Reporter) -> dict[str, Any]:
    """Run the command."""
    job, more = _job(options)
    if more and more["job_file"]["replaced"]:
        names = ", ".join(more["job_file"]["replaced"])
        progress.note(f"Options take the place of what {more['job_file']['name']} has for: {names}.")

    return run_job(job, progress, find_scan(job), lambda result: more)


def describe(found: dict[str, Any]) -> str:
    """The result as a terminal shows it."""
    shape, spacing = found["shape"], found["spacing_mm"]
    return "\n".join(
        [
            f"{' x '.join(map(str, shape))} voxels of {' x '.join(f'{s:g}' for s in spacing)} mm (z, y, x)",
            *(f"  {path}" for path in found["files"].values()),
        ]
    )


def _job(options: argparse.Namespace) -> tuple[Job, dict[str, Any]]:
    """The job, and what the report is to say of its job file, if there was one."""
    places = {name: getattr(options, name) for name in ("input", "output") if getattr(options, name) is not None}
    if options.job is None:
        if len(places) < 2:
            raise JobError("Name the scan and a folder for the results, as in 'ctsr run scan.nrrd results'.")
        return job_of(options, **places), {}
    if len(places) == 1:
        raise JobError("Beside --job, name both a scan and a folder for the results, or neither.")
    in_file = parse_job_file(_read_job_file(Path(options.job)))
    given = places | given_entries(options)
    values = in_file | given
    for name, instead in (("scale", "spacing"), ("spacing", "scale")):
        if name in given:
            values.pop(instead, None)
    if isinstance(in_file.get("settings"), Mapping) and "settings" in given:
        values["settings"] = in_file["settings"] | given["settings"]
    replaced = [name for name in given if name != "settings"]
    replaced += [f"settings.{name}" for name in given.get("settings", ())]
    return Job.from_dict(values), {"job_file": {"name": Path(options.job).name, "replaced": replaced}}


def _read_job_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_JOB_FILE + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise JobError(f"The job file {path} cannot be read ({reason}); check its path.") from None
    if len(content) > MAX_JOB_FILE:
        raise JobError(f"The job file {path} is larger than any job; check its path.")
    return content
