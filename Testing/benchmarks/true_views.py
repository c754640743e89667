#!/usr/bin/env python3
"""What the fit makes of perfect views: python Testing/benchmarks/true_views.py LR HR [--set …] [--set …+…]

Runs the pipeline with the projections of the HR reference in place of what the prior restores, once for every --set,
and prints the seconds of the fit and the scores of the result. Settings that go together are joined by a plus, as in
--set start=edges+iterations=600. It says what the Gaussian field, or a grid, can hold, whatever the prior is worth.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from CTSuperResolutionLib import pipeline
from CTSuperResolutionLib.evaluation.metrics import psnr, ssim
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.method import Method, parse_settings
from CTSuperResolutionLib.projection import project
from CTSuperResolutionLib.projection.geometry import ScanGeometry
from CTSuperResolutionLib.stages.restore_views import RestoredViews
from CTSuperResolutionLib.volume.intensity import to_unit
from CTSuperResolutionLib.volume.reading import read_volume
from CTSuperResolutionLib.volume.volume import Volume


class FitClock(Progress):
    """Seconds from the beginning of the fit to that of the stage after it."""

    began = seconds = 0.0

    def stage(self, name: str, steps: int = 1) -> None:
        if name == "fit":
            self.began = time.perf_counter()
        elif name == "assemble":
            self.seconds = time.perf_counter() - self.began


def super_resolve_with(truth: Volume, scan: Volume, method: Method, clock: FitClock) -> pipeline.Result:
    """The pipeline, its restored views replaced by those of the truth."""
    turn = pipeline.Turn.of(method.factors(scan.spacing, scan.shape))
    bounds = (method.parameters.hu_low, method.parameters.hu_high)
    true_volume = to_unit(torch.from_numpy(turn.volume(truth.array)), bounds)

    def true_views(
        volume: torch.Tensor,
        volume_views: torch.Tensor,
        spacing: tuple[float, float, float],
        geometry: ScanGeometry,
        *_: Any,
        **__: Any,
    ) -> RestoredViews:
        return RestoredViews(project(true_volume, spacing, geometry), volume, volume_views, uncertainty=None)

    with patch.object(pipeline, "restore_views", true_views):
        return pipeline.super_resolve(scan, method, progress=clock)


def main() -> None:
    """Print a line for every set of settings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lr", type=Path)
    parser.add_argument("hr", type=Path)
    parser.add_argument("--scale", default="4")
    parser.add_argument("--preset", default="balanced")
    parser.add_argument("--set", action="append", default=[])
    options = parser.parse_args()
    scan, truth = read_volume(options.lr), read_volume(options.hr)
    for chosen in options.set or [""]:
        settings = parse_settings([*filter(None, chosen.split("+")), "null_space=1"])
        method = Method(options.scale, options.preset, settings, device="cpu")
        clock = FitClock()
        result = super_resolve_with(truth, scan, method, clock)
        scores = f"{psnr(result.sr, truth):8.3f} dB{ssim(result.sr, truth):8.4f}"
        print(f"{chosen or options.preset:<60}{clock.seconds:8.1f} s{scores}", flush=True)


if __name__ == "__main__":
    main()
