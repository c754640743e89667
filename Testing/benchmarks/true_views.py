#!/usr/bin/env python3
"""What the fit makes of perfect views: python Testing/benchmarks/true_views.py LR HR [--set …] [--set …+…]

Runs the pipeline's stages with the projections of the HR reference in place of what the prior restores, once for every
--set, and prints the seconds of the fit and the scores of the result. Settings that go together are joined by a plus,
as in --set start=edges+iterations=600. It says what the Gaussian field, or voxels, can reconstruct, whatever the prior
is worth.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from CTSuperResolutionLib.evaluation.metrics import psnr, ssim
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.method import Method, parse_settings
from CTSuperResolutionLib.stages.project_volume import ProjectedVolume, make_projector, project_base
from CTSuperResolutionLib.stages.reconstruct_residual import reconstruct_residual
from CTSuperResolutionLib.stages.restore_views import Restored
from CTSuperResolutionLib.stages.upsample_scan import upsample_scan
from CTSuperResolutionLib.volume.intensity import to_unit
from CTSuperResolutionLib.volume.reading import read_volume
from CTSuperResolutionLib.volume.volume import Volume


@torch.no_grad()
def super_resolve_with(truth: Volume, scan: Volume, method: Method) -> tuple[Volume, float]:
    """The pipeline's result with the views of the truth for restored ones, and the seconds of the fit."""
    p, progress = method.parameters, Progress()
    upsampled = upsample_scan(scan, method.target_grid(scan.shape, scan.spacing), p, "cpu")
    projector = make_projector(upsampled, p)
    start = ProjectedVolume.of(upsampled.consistent(), projector, progress)
    base = project_base(start, upsampled, projector, p, progress)
    true_volume = to_unit(torch.from_numpy(upsampled.axis_order.to_scanner_order(truth.array)), upsampled.hu_range)
    restored = Restored(projector.forward(true_volume), start)
    began = time.perf_counter()
    residual = reconstruct_residual(restored, base, projector, p, seed=method.seed, progress=progress)
    seconds = time.perf_counter() - began
    return upsampled.to_volume(upsampled.enforce(base.volume + residual.voxels(progress)).round_()), seconds


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
        settings = parse_settings(filter(None, chosen.split("+")))
        method = Method(options.scale, options.preset, settings, device="cpu")
        result, seconds = super_resolve_with(truth, scan, method)
        scores = f"{psnr(result, truth):8.3f} dB{ssim(result, truth):8.4f}"
        print(f"{chosen or options.preset:<60}{seconds:8.1f} s{scores}", flush=True)


if __name__ == "__main__":
    main()
