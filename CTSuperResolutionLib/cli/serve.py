"""ctsr serve: do jobs one after another, as another program asks for them.

Standard input has one JSON object a line: {"id": "1", "job": {…}} asks for a job, whose entries are those of a
job.json, and {"cancel": "1"} stops it. With "try": true, a newer try takes the place of the ones before it, and no
picture is made. Events go to standard output as JSON lines, those of a job with its id.

Libraries and prior are loaded once. Ends with standard input, when no job came for long, and when memory is short.
"""

from __future__ import annotations

import argparse
from typing import Any

from CTSuperResolutionLib.cli.streams import STDIN
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.events import Reporter
from CTSuperResolutionLib.output.worker import serve


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument(
        "--idle", type=float, default=10.0, metavar="MINUTES", help="end after so long without a job (default 10)"
    )


def execute(options: argparse.Namespace, progress: Reporter) -> dict[str, Any]:
    """Run the command."""
    if not 0 < options.idle < 1e6:
        raise JobError(f"--idle is a time above 0 in minutes, not {options.idle:g}.")
    return serve(STDIN, progress, idle_seconds=60 * options.idle, debug=options.debug)


def describe(found: dict[str, Any]) -> str:
    """Nothing: its output is events."""
    return ""
