"""ctsr batch: super-resolve many CTs, each as 'ctsr run' does, and report on all of them.

COHORT is a CSV file with a column 'scan', whose paths are relative to its folder, and perhaps columns 'name', 'scale',
'spacing', 'preset', 'roi', 'series', 'seed' and 'prior', which take the place of the options below; or a folder: its
CT files (NRRD, MHA, NIfTI) and, as DICOM series, the folders in it. OUT gets a folder of results for every scan, and
cohort.json, cohort.csv and cohort.md.

What fails is listed and stops nothing. The same command goes on where it was stopped: what is done stays, as long as
its scan, settings and prior are the same, and what failed is tried again. Larger scans come first. On this computer one
is done after the other, or as many at once as there are GPUs.

--engine slurm writes OUT/cohort.sbatch, a job array for sbatch; when it has ended, --engine local does what is missing
and the report.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from CTSuperResolutionLib.cli.arguments import add_input_options, add_method_options, given_entries
from CTSuperResolutionLib.errors import JobError, unknown
from CTSuperResolutionLib.job.events import Reporter
from CTSuperResolutionLib.job.job import Job
from CTSuperResolutionLib.output.folder import OutputFolder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    option = parser.add_argument
    option("cohort", type=Path, metavar="COHORT", help="table or folder of scans")
    option("output", type=Path, metavar="OUT", help="folder for the results")
    option("--engine", default="local", help="local, ray or slurm (default local)")
    option("--ray-address", metavar="A", help="of a Ray cluster; one is started here otherwise")
    option("--only", metavar="NAME", help="do the scan of that name and no report, as a job of the array does")
    add_method_options(parser)
    add_input_options(parser)


def execute(options: argparse.Namespace, progress: Reporter) -> dict[str, Any]:
    """Run the command."""
    common = given_entries(options)
    Job.from_dict({**common, "input": "scan", "output": "results"})  # what is wrong for all is said at once
    from CTSuperResolutionLib.cohort.cohort import SCRIPT, CohortRequest, run_cohort, run_member
    from CTSuperResolutionLib.cohort.engines import ENGINES
    from CTSuperResolutionLib.cohort.members import read_members
    from CTSuperResolutionLib.cohort.report import FILES
    from CTSuperResolutionLib.cohort.task import FAILED
    from CTSuperResolutionLib.engines.ray_cluster import find_ray

    if options.engine not in ENGINES:
        raise unknown("engine", options.engine, ENGINES)
    if options.engine == "ray":
        find_ray()
    members = read_members(options.cohort, options.output)
    request = CohortRequest(
        members, common, options.output, options.engine, options.ray_address, _command_of_one(options)
    )
    if options.only is not None:
        return {"name": options.only, "status": run_member(request, options.only, progress).status}
    out = OutputFolder(options.output, alone=True)
    progress.cancellation.on_kill(out.discard)
    with out:
        out.require_replaceable((*FILES, SCRIPT), options.cohort)
        report = run_cohort(request, out.staging, progress)
        progress.cancellation.close()
        files = out.publish()
    if report["rows"] and all(row["status"] == FAILED for row in report["rows"]):
        raise JobError(f"No scan of {len(report['rows'])} could be done; {files['cohort.md']} says why.")
    return {"files": {name: str(path.resolve()) for name, path in files.items()}, "report": report}


def describe(found: dict[str, Any]) -> str:
    """The result as a terminal shows it."""
    from CTSuperResolutionLib.cohort.report import format_table

    if "status" in found:
        return f"{found['name']}: {found['status']}"
    report = found["report"]
    waiting = f"{report.get('waiting')} jobs wait for: sbatch {next(iter(found['files'].values()))}"
    text = waiting if "waiting" in report else format_table(report["rows"])
    return "\n".join([text.rstrip(), *(f"  {path}" for path in found["files"].values())])


def _command_of_one(options: argparse.Namespace) -> list[str]:
    """This command, by absolute paths, as far as the name of the scan that is to be done."""
    places = [str(options.cohort.absolute()), str(options.output.absolute())]
    given = []
    for name, value in given_entries(options).items():
        if name == "settings":
            given += [part for pair in value.items() for part in ("--set", f"{pair[0]}={pair[1]}")]
        else:
            option = f"--{name.replace('_', '-')}"
            given += [option] if value is True else [option, str(value)]
    return [sys.executable, "-m", "CTSuperResolutionLib", "batch", *places, *given, "--only"]
