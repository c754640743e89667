"""ctsr study: design a reader study, check it, simulate its power, analyse its answers.

  ctsr study design PLAN OUT     make the study of a plan (JSON): OUT/reader for the readers, OUT/key.json for its lead
  ctsr study check STUDY         check its files, images, key and logs, and say how far the readers are
  ctsr study simulate            what designs would find: power, and how often the interval holds the truth
  ctsr study analyse STUDY OUT   report.html, report.md, figures and CSV into OUT
  ctsr study export STUDY OUT    grades for the R packages iMRMC and MRMCaov into OUT
  ctsr study demo OUT            a study of six generated phantoms, read by simulated readers, and its report

The readers' part tells nothing of the methods but by its images. The analysis needs the extra 'study' of this package.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from CTSuperResolutionLib.cli.arguments import require_action
from CTSuperResolutionLib.errors import JobError, unknown
from CTSuperResolutionLib.job.events import Reporter

ACTIONS = {"design": 2, "check": 1, "simulate": 0, "analyse": 2, "export": 2, "demo": 1}
"""How many paths each takes."""

KINDS = ("forced_choice", "grading")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    option = parser.add_argument
    option("action", metavar="ACTION", help=f"one of {', '.join(ACTIONS)}")
    option("paths", nargs="*", type=Path, metavar="PATH", help="as above")
    option("--regrid", action="store_true", help="design: bring a case's images onto the grid of its first one")
    option("--allow-unusual", action="store_true", help="design: go on where an image does not look like a CT")
    option("--seed", type=int, default=0, help="simulate, analyse, demo: of all random numbers (default 0)")
    group = parser.add_argument_group("simulate")
    option = group.add_argument
    option("--task", default="forced_choice", metavar="KIND", help=f"of {', '.join(KINDS)} (default %(default)s)")
    option(
        "--share", type=float, default=0.65, help="in which the new method is expected to be preferred (default 0.65)"
    )
    option("--reader-sd", type=float, default=0.3, metavar="SD", help="by which readers differ (default 0.3)")
    option("--case-sd", type=float, default=0.5, metavar="SD", help="by which cases differ (default 0.5)")
    option("--readers", type=int, nargs="+", default=[4, 6, 8], metavar="N", help="how many (default 4 6 8)")
    option("--cases", type=int, nargs="+", default=[20, 40, 60], metavar="N", help="how many (default 20 40 60)")
    option("--studies", type=int, default=200, metavar="N", help="simulated for each design (default 200)")


def execute(options: argparse.Namespace, progress: Reporter) -> dict[str, Any]:
    """Run the command."""
    require_action("study", options, ACTIONS)
    run = {"design": _design, "check": _check, "simulate": _simulate, "analyse": _analyse, "export": _export,
           "demo": _demo}[options.action]  # fmt: skip
    return {"action": options.action, **run(options, progress)}


def _design(options: argparse.Namespace, progress: Reporter) -> dict[str, Any]:
    from CTSuperResolutionLib.study.design import design_study
    from CTSuperResolutionLib.study.plan import Plan

    plan, out = options.paths
    taken = {"regrid": options.regrid, "allow_unusual": options.allow_unusual}
    study = design_study(Plan.read(plan), out, **taken, progress=progress)
    return {"study": study, "folder": str(out.resolve())}


def _check(options: argparse.Namespace, progress: Reporter) -> dict[str, Any]:
    from CTSuperResolutionLib.study.answers import check_study

    progress.stage("check")
    return check_study(options.paths[0])


def _simulate(options: argparse.Namespace, progress: Reporter) -> dict[str, Any]:
    if options.task not in KINDS:
        raise unknown("kind of task that is simulated", options.task, KINDS)
    if options.studies < 1:
        raise JobError(f"--studies is to be 1 or more, not {options.studies}.")
    from CTSuperResolutionLib.study.simulation import Effect, coverage, power, simulate

    effect = Effect(options.share, options.reader_sd, options.case_sd)
    truth = effect.share if options.task == "forced_choice" else effect.area
    designs = [(readers, cases) for readers in options.readers for cases in options.cases]
    progress.stage("simulate", len(designs))
    rows = []
    for readers, cases in designs:
        found = simulate(effect, options.task, readers, cases, options.studies, seed=options.seed, progress=progress)
        rows.append({"readers": readers, "cases": cases, "power": power(found), "coverage": coverage(found, truth)})
        progress.advance()
    return {"task": options.task, "truth": truth, "designs": rows}


def _analyse(options: argparse.Namespace, progress: Reporter) -> dict[str, Any]:
    study, out = options.paths
    return _report(study, out, options.seed, progress)


def _export(options: argparse.Namespace, progress: Reporter) -> dict[str, Any]:
    from CTSuperResolutionLib.output.folder import OutputFolder
    from CTSuperResolutionLib.study.answers import read_answers
    from CTSuperResolutionLib.study.export import export_grades

    progress.stage("export")
    study, place = options.paths
    answers = read_answers(study)
    with OutputFolder(place) as out:
        export_grades(answers, out.staging)
        return {"files": {name: str(path.resolve()) for name, path in out.publish().items()}}


def _demo(options: argparse.Namespace, progress: Reporter) -> dict[str, Any]:
    from CTSuperResolutionLib.study.demo import EFFECT, make_demo

    (out,) = options.paths
    make_demo(out / "study", seed=options.seed, progress=progress)
    put_in = {"share preferred": EFFECT.share, "VGC area": EFFECT.area}
    return _report(out / "study", out / "report", options.seed, progress) | {"put_in": put_in}


def _report(study: Path, place: Path, seed: int, progress: Reporter) -> dict[str, Any]:
    from CTSuperResolutionLib.output.folder import OutputFolder
    from CTSuperResolutionLib.output.matplotlib_folder import matplotlib_folder
    from CTSuperResolutionLib.study.analysis import analyse
    from CTSuperResolutionLib.study.answers import read_answers

    out = OutputFolder(place)
    progress.cancellation.on_kill(out.discard)
    with out:
        progress.stage("analyse")
        analysis = analyse(read_answers(study), seed=seed, progress=progress)
        with matplotlib_folder(out.staging):
            from CTSuperResolutionLib.study.report import write_report

        write_report(analysis, out.staging)
        files = out.publish()
    return {
        "files": {name: str(path.resolve()) for name, path in files.items()},
        "comparisons": analysis.comparisons,
    }


def describe(found: dict[str, Any]) -> str:
    """The result as a terminal shows it."""
    lines = []
    if found["action"] == "design":
        lines += [f"study {found['study']}", f"  {found['folder']}/reader: for the readers"]
        lines.append(f"  {found['folder']}/key.json: for you alone")
    elif found["action"] == "check":
        lines.append(f"{found['title']} ({found['study']}): {found['images']} images are whole")
        lines += [f"  {reader:<24}{done:>5} of {total}" for reader, (done, total) in found["readers"].items()]
    elif found["action"] == "simulate":
        lines.append(f"{found['task']}, true value {found['truth']:.3f}")
        lines.append(f"{'readers':>8}{'cases':>8}{'power':>8}{'coverage':>10}")
        lines += [
            f"{row['readers']:8}{row['cases']:8}{row['power']:8.2f}{row['coverage']:10.3f}" for row in found["designs"]
        ]
    for row in found.get("comparisons", ()):
        lines.append(
            f"{row['task']}: {row['question']}, {row['comparison']}: {row['measure']} {row['estimate']:.3f} "
            f"[{row['low']:.3f}, {row['high']:.3f}]"
        )
    lines += [f"put in: {measure} {value:.3f}" for measure, value in found.get("put_in", {}).items()]
    return "\n".join([*lines, *(f"  {path}" for path in found.get("files", {}).values())])
