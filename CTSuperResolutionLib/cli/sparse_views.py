"""Sparse views of ``ctsr evaluate``: its options, and what it does with them."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from CTSuperResolutionLib.cli.arguments import parse_crop
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.events import Reporter
from CTSuperResolutionLib.job.method import parse_settings
from CTSuperResolutionLib.output.folder import OutputFolder
from CTSuperResolutionLib.reconstruction.methods import METHODS, ReconstructionMethod


def add_sparse_view_options(parser: argparse.ArgumentParser) -> None:
    """Options that reconstructions from few views are evaluated with."""
    group = parser.add_argument_group("few views")
    option = group.add_argument
    option("--sparse-views", metavar="LIST", help="numbers of views such as 36,24,12; --methods is then of these: "
           f"{', '.join(METHODS)} (default all)")  # fmt: skip
    option("--beam", default="cone", help="cone or parallel (default cone)")
    option("--photons", type=float, default=1e5, metavar="I0", help="a pixel, without object (default 1e5)")
    option(
        "--slice-fixer",
        metavar="FOLDER",
        help="of diffnr (default the shipped one)",
    )


def execute_sparse_views(options: argparse.Namespace, progress: Reporter) -> dict[str, Any]:
    """Evaluate reconstructions from few views."""
    views = re.fullmatch(r"\d{1,5}(,\d{1,5})*", options.sparse_views.replace(" ", ""))
    if views is None:
        raise JobError(f"The views '{options.sparse_views}' are not numbers such as 36,24,12.")
    for name in ("scale", "priors", "noise", "keep_volumes"):
        if getattr(options, name):
            raise JobError(f"--{name.replace('_', '-')} has no meaning with --sparse-views; leave it out.")
    fixer = options.slice_fixer
    names = options.methods.split(",") if options.methods else list(METHODS)
    settings = parse_settings(options.set)
    methods = tuple(
        ReconstructionMethod(
            name.strip(), settings, fixer if name.strip() == "diffnr" else None, options.seed, options.device
        )
        for name in dict.fromkeys(names)
    )
    crop = parse_crop(options.crop)
    from CTSuperResolutionLib.evaluation.protocol import EvaluationProtocol
    from CTSuperResolutionLib.evaluation.sparse_views import SPARSE_FILES, SparseViewRequest, evaluate_sparse_views
    from CTSuperResolutionLib.reconstruction.simulated_scan import SimulatedScan
    from CTSuperResolutionLib.volume.ct_files import find_cts

    scans = tuple(
        SimulatedScan(views=int(n), beam=options.beam, photons=options.photons, seed=options.seed)
        for n in dict.fromkeys(views[0].split(","))
    )
    protocol = EvaluationProtocol(options.iso, crop, 0.0, 0.0, options.seed)
    request = SparseViewRequest(find_cts(Path(options.folder)), protocol, scans, methods)
    out = OutputFolder(options.output, alone=True)
    progress.cancellation.on_kill(out.discard)
    with out:
        out.require_replaceable(SPARSE_FILES, options.folder)
        report = evaluate_sparse_views(request, out.path / "sparse-views", out.staging, progress)
        progress.cancellation.close()
        files = out.publish()
    return {"files": {name: str(path.resolve()) for name, path in files.items()}, "report": report}


def describe_sparse_views(found: dict[str, Any]) -> str:
    """The result as a terminal shows it."""
    from CTSuperResolutionLib.evaluation.sparse_views import format_sparse_views

    return "\n".join([format_sparse_views(found["report"]), *(f"  {path}" for path in found["files"].values())])
