#!/usr/bin/env python3
"""Fault injection: python Testing/faults/run.py [--short] [--seed N] [--json FILE] [--case NAME …]

Faults against ``ctsr run`` on a tiny scan (signals at any moment, every call of the file layer failing in turn, too
little memory, jumping clocks, odd readers, two runs at once), and mutated NRRD, MetaImage, NIfTI and DICOM files read
by ``read_volume`` and by independent readers. Ends with 1 where anything is wrong: a traceback, a hang, something left,
output that is neither whole nor untouched, a wrong voxel. Needs Linux; takes about half an hour, the short form a
minute.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import signal
import sys
import tempfile
import time
from pathlib import Path

import table
from inputs.campaign import Campaign as InputCampaign
from inputs.campaign import Trial as InputTrial
from runs.campaign import Campaign as RunCampaign
from runs.trial import Trial as RunTrial

RUN_COLUMNS = ("cases", "done", "refused", "cancelled", "killed", "failed", "wrong")
INPUT_COLUMNS = ("cases", "right", "refused", "wrong")


def main() -> int:
    """Carry out all cases or some, print the table and what is wrong, and write both as JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="fewer of each kind, in about a minute")
    parser.add_argument("--seed", type=int, default=0, help="of all faults (default 0)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was found there")
    parser.add_argument("--case", action="append", metavar="NAME", help="this case only; may be repeated")
    options = parser.parse_args()
    if sys.platform != "linux":
        parser.error("it needs Linux, whose /proc tells what processes do")
    since = time.monotonic()
    # A shell has what it starts in the background ignore SIGINT, and the runs would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # and take the folder away
    with tempfile.TemporaryDirectory(prefix="ctsr-faults-") as folder:
        inputs = _inputs(Path(folder, "inputs"), options)
        runs = _runs(Path(folder, "runs"), options)
    run_rows = table.rows((t.case, table.end_of_run(t.codes), bool(t.wrong)) for t in runs)
    input_rows = table.rows((t.case, t.outcome, bool(t.wrong)) for t in inputs)
    for found, columns in ((run_rows, RUN_COLUMNS), (input_rows, INPUT_COLUMNS)):
        if found:
            print(table.text(found, columns), end="\n\n")
    print(f"{time.monotonic() - since:.0f} s, seed {options.seed}")
    if options.json is not None:
        report = {
            "seed": options.seed,
            "short": options.short,
            "seconds": round(time.monotonic() - since, 1),
            "runs": {"table": run_rows, "cases": [dataclasses.asdict(trial) for trial in runs]},
            "inputs": {"table": input_rows, "cases": [dataclasses.asdict(trial) for trial in inputs]},
        }
        options.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return int(any(trial.wrong for trial in (*runs, *inputs)))


def _inputs(folder: Path, options: argparse.Namespace) -> list[InputTrial]:
    folder.mkdir()
    campaign = InputCampaign(folder, options.seed)
    try:
        return campaign.carry_out(_chosen(campaign.cases(short=options.short), options), _tell)
    finally:
        campaign.close()


def _runs(folder: Path, options: argparse.Namespace) -> list[RunTrial]:
    folder.mkdir()
    campaign = RunCampaign(folder, options.seed)
    try:
        cases = _chosen(campaign.cases(short=options.short), options)
        if not cases:
            return []
        campaign.prepare()
        return campaign.carry_out(cases, _tell)
    finally:
        campaign.close()


def _chosen(cases: list[str], options: argparse.Namespace) -> list[str]:
    """All cases, or those named, among which there may be more than the form has."""
    if options.case is None:
        return cases
    kinds = {case.rpartition(" ")[0] for case in cases}
    return [case for case in options.case if case.rpartition(" ")[0] in kinds]


def _tell(trial: RunTrial | InputTrial) -> None:
    """Say what is wrong as soon as it is found."""
    about = trial.about if isinstance(trial, InputTrial) else trial.fault.about
    for wrong in filter(None, trial.wrong):
        print(f"{trial.case} ({about}): {wrong}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
