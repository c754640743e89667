#!/usr/bin/env python3
"""What a prior knows of the part of a view that the detector cannot see: null_space.py LR HR [--scale 4] [--prior …]

Restores views of the LR scan and compares their null-space part with that of the HR reference's views: correlation,
energy (norm relative to the truth's) and Wiener's share, correlation / energy, which is the best one to keep.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import torch

from CTSuperResolutionLib import pipeline
from CTSuperResolutionLib.job.spec import JobSpec, parse_settings
from CTSuperResolutionLib.projection import project
from CTSuperResolutionLib.volume.intensity import to_unit
from CTSuperResolutionLib.volume.reading import read_volume
from CTSuperResolutionLib.volume.volume import Volume


class Seen(Exception):
    """The pipeline has restored its views: nothing after that is needed."""


def restored_views(scan: Volume, spec: JobSpec) -> tuple[torch.Tensor, torch.Tensor, pipeline.ScanGeometry, Callable]:
    """Views before and after the prior, their geometry, and the null-space part of views, as the pipeline has them."""
    kept: dict[str, object] = {}
    restore, project_there = pipeline.restore, pipeline.project

    def watched_project(volume: torch.Tensor, spacing: object, geometry: object, **options: object) -> torch.Tensor:
        kept["geometry"] = geometry
        return project_there(volume, spacing, geometry, **options)

    def watched_restore(
        coarse: torch.Tensor, views: torch.Tensor, degradation: object, *rest: object, **options: object
    ):
        kept["restored"] = restore(coarse, views, degradation, *rest, **options).views
        kept["views"], kept["degradation"] = views, degradation
        raise Seen

    pipeline.restore, pipeline.project = watched_restore, watched_project
    try:
        pipeline.super_resolve(scan, spec)
    except Seen:
        pass
    finally:
        pipeline.restore, pipeline.project = restore, project_there
    a = kept["degradation"]
    return kept["views"], kept["restored"], kept["geometry"], lambda views: views - a.pseudo_inverse(a.apply(views))


def main() -> None:
    """Print the figures as a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lr", type=Path)
    parser.add_argument("hr", type=Path)
    parser.add_argument("--scale", default="4")
    parser.add_argument("--prior", default="shipped")
    parser.add_argument("--set", action="append", default=[])
    options = parser.parse_args()
    settings = {"views": 10, **parse_settings(options.set)}
    spec = JobSpec("scan", "out", options.scale, "balanced", prior=options.prior, settings=settings)
    scan, truth = read_volume(options.lr), read_volume(options.hr)
    turn = pipeline.Turn.of(spec.factors(scan.spacing, scan.shape))
    views, restored, geometry, unseen = restored_views(scan, spec)
    bounds = (spec.parameters.hu_low, spec.parameters.hu_high)
    true_views = project(
        to_unit(torch.from_numpy(turn.volume(truth.array)), bounds), turn.there(truth.spacing), geometry
    )
    added, missing = unseen(restored - views), unseen(true_views - views)
    correlation = float((added * missing).sum() / (added.norm() * missing.norm()))
    energy = float(added.norm() / missing.norm())
    figures = {"correlation": correlation, "energy": energy, "share": correlation / energy}
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
