"""ctsr evaluate: degrade CTs, super-resolve them by several methods, and score the results.

FOLDER holds CTs of high resolution (NRRD, MHA, NIfTI; one file will do). Every CT at every scale is a case. The
reference is the middle of the CT at --iso mm, and no CT may be coarser than that; the scan is the reference blurred by
a Gaussian of one voxel and sampled by a Lanczos-5 sinc. OUT gets table.md, results.csv, results.json and a figure for
every case, and in OUT/cases what every method came to: the same command goes on where it was stopped. After the code
has changed, delete OUT/cases.
Volumes lie in a private temporary folder while they are worked on; a figure shows a part of one slice.

Few views: --sparse-views 36,24,12 scans the references with so many views instead, and reconstructs them by the methods
of 'ctsr reconstruct'; OUT gets table.md, results.csv and results.json.

Robustness: --noise adds noise to the scans, and --blur-factor blurs them more or less than the methods assume.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from pathlib import Path
from typing import Any

from CTSuperResolutionLib.cli.arguments import parse_crop, preset_help
from CTSuperResolutionLib.cli.sparse_views import add_sparse_view_options, describe_sparse_views, execute_sparse_views
from CTSuperResolutionLib.errors import JobError, OtherOption, unknown
from CTSuperResolutionLib.evaluation.methods import DEFAULT_METHODS, METHODS, parse_methods
from CTSuperResolutionLib.job.events import Reporter, describe_error
from CTSuperResolutionLib.job.method import Method, parse_settings
from CTSuperResolutionLib.job.parameters import DEFAULT_PRESET, find_parameter
from CTSuperResolutionLib.job.priors import DEFAULT_PRIOR
from CTSuperResolutionLib.job.refinement import parse_scale, whole_factors
from CTSuperResolutionLib.output.folder import OutputFolder

DEFAULT_SCALES = ("4", "8")
BLUR = 1.0  # σ of the paper's scans, in voxels of the reference


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    option = parser.add_argument
    option("folder", metavar="FOLDER", help="the CTs, or one CT")
    option("output", metavar="OUT", help="folder for tables and figures")
    option("--scale", nargs="+", action="extend", metavar="S", help="a whole factor or z,y,x; several (default 4 8)")
    option("--iso", type=float, default=1.0, metavar="MM", help="spacing of references; 0 keeps the CT's (default 1)")
    option("--crop", default="128,192,192", metavar="Z,Y,X", help="most voxels of references (default 128,192,192)")
    option("--methods", metavar="LIST", help=f"of those below (default {','.join(DEFAULT_METHODS)})")
    option("--preset", default=DEFAULT_PRESET, help=preset_help(DEFAULT_PRESET))
    prior = parser.add_mutually_exclusive_group()
    prior.add_argument("--prior", default=DEFAULT_PRIOR, help=f"name or folder of a prior (default {DEFAULT_PRIOR})")
    prior.add_argument(
        "--priors", type=Path, metavar="FILE", help='a prior for every CT, as JSON {"name of the CT": "folder"}'
    )
    option("--blur-factor", type=float, default=1.0, metavar="X", help="times the blur of scans (default 1)")
    option("--noise", type=float, default=0.0, metavar="HU", help="standard deviation of noise in scans")
    add_sparse_view_options(parser)
    option("--set", action="append", default=[], metavar="NAME=VALUE", help="as for 'ctsr run'; may be repeated")
    option("--seed", type=int, default=0, help="of all random numbers (default 0)")
    option("--device", default="auto", help="auto, cpu or cuda (default auto)")
    option("--engine", default="local", help="local, or ray to share the work of many (default local)")
    option("--ray-address", metavar="A", help="of a Ray cluster; one is started here otherwise")
    option("--keep-volumes", action="store_true", help="keep every result as OUT/cases/CASE/METHOD.nrrd")
    names = "\n".join(f"  {name:<16} {method.help}" for name, method in METHODS.items())
    parser.epilog = f"methods:\n{names}"


def execute(options: argparse.Namespace, progress: Reporter) -> dict[str, Any]:
    """Run the command."""
    if options.sparse_views is not None:
        return execute_sparse_views(options, progress)
    values = _checked(options)
    from CTSuperResolutionLib.engines.ray_cluster import find_ray
    from CTSuperResolutionLib.evaluation.cases import case_name
    from CTSuperResolutionLib.evaluation.engines import ENGINES
    from CTSuperResolutionLib.evaluation.evaluate import EvaluationRequest, evaluate
    from CTSuperResolutionLib.evaluation.priors import read_priors_map
    from CTSuperResolutionLib.evaluation.protocol import EvaluationProtocol
    from CTSuperResolutionLib.evaluation.store import Store
    from CTSuperResolutionLib.volume.ct_files import find_cts

    if options.engine not in ENGINES:
        raise unknown("engine", options.engine, ENGINES)
    if options.engine == "ray":
        find_ray()
    cts = find_cts(Path(options.folder))
    priors = dict.fromkeys(cts, options.prior) if options.priors is None else read_priors_map(options.priors, cts)
    crop, blur = values.pop("crop"), BLUR * options.blur_factor
    request = EvaluationRequest(
        cts=cts,
        protocol=EvaluationProtocol(options.iso, crop, blur, options.noise, options.seed),
        priors=priors,
        engine=options.engine,
        ray_address=options.ray_address,
        keep_volumes=options.keep_volumes,
        **values,
    )
    out = OutputFolder(options.output, alone=True)
    private = OutputFolder(tempfile.gettempdir())
    for folder in (out, private):
        progress.cancellation.on_kill(folder.discard)
    with out, private:
        figures = (f"figure-{case_name(ct, scale)}.png" for ct in cts for scale in request.scales)
        out.require_replaceable(("results.csv", "results.json", "table.md", *figures), options.folder)
        try:
            report = evaluate(request, Store(out.path / "cases"), private.staging, out.staging, progress)
        except Exception as error:
            if describe_error(error)["kind"] == "memory":
                ways = OtherOption("iso", "a larger {}"), OtherOption("crop", "a smaller {}")
                raise JobError("The memory ran out", *ways) from error
            raise
        progress.cancellation.close()
        files = out.publish()
    return {"files": {name: str(path.resolve()) for name, path in files.items()}, "report": report}


def describe(found: dict[str, Any]) -> str:
    """The result as a terminal shows it."""
    if "scans" in found["report"]:
        return describe_sparse_views(found)
    from CTSuperResolutionLib.evaluation.table import format_tables

    return "\n".join([format_tables(found["report"]), *(f"  {path}" for path in found["files"].values())])


def _checked(options: argparse.Namespace) -> dict[str, Any]:
    """Check the options as far as they can be judged before anything is loaded."""
    settings = parse_settings(options.set)
    scales = tuple(dict.fromkeys(map(parse_scale, options.scale or DEFAULT_SCALES)))
    methods = DEFAULT_METHODS if options.methods is None else parse_methods(options.methods)
    given = {name: getattr(options, name) for name in ("preset", "prior", "seed", "device")}
    for scale, method in itertools.product(scales, methods):
        whole_factors(scale)
        with_own = {**settings, **(METHODS[method].settings or {})}
        Method(scale=scale, settings=with_own, **given).refinement((1.0, 1.0, 1.0))
    for method in methods:
        for name, own in (METHODS[method].settings or {}).items():
            if name in settings and find_parameter(name).parse(settings[name]) != own:
                raise JobError(
                    f"The method {method} sets the parameter {name} to {own} itself; leave --set "
                    f"{name}={settings[name]} or that method out."
                )
    crop = parse_crop(options.crop)
    for name, low, high in (("iso", 0, 100), ("blur-factor", 0, 10), ("noise", 0, 1e4)):
        value = getattr(options, name.replace("-", "_"))
        if not low <= value <= high:
            raise JobError(f"--{name} is to be from {low} to {high:g}, not {value:g}.")
    return {
        "scales": scales,
        "crop": crop,
        "methods": methods,
        "preset": options.preset,
        "settings": settings,
        "seed": options.seed,
        "device": options.device,
    }
