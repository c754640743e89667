#!/usr/bin/env python3
"""What every stage of the method gives on one case: python Testing/benchmarks/stages.py LR HR [--scale 4] [--preset …]

Scores the volume after each stage against the HR reference, PSNR and SSIM as the paper counts them: the cubic
upsampling, that made to agree with the scan, that with its slices restored, and the result; last the result with
the prior left out.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from CTSuperResolutionLib import machine
from CTSuperResolutionLib.diffusion.prior import Prior
from CTSuperResolutionLib.evaluation.metrics import psnr, ssim
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.method import Method, parse_settings
from CTSuperResolutionLib.pipeline import super_resolve
from CTSuperResolutionLib.stages.project_volume import ProjectedVolume, make_projector, make_view_degradation
from CTSuperResolutionLib.stages.restore_views import Restorer
from CTSuperResolutionLib.stages.upsample_scan import upsample_scan
from CTSuperResolutionLib.volume.reading import read_volume
from CTSuperResolutionLib.volume.volume import Volume


@torch.no_grad()
def stages(scan: Volume, method: Method) -> dict[str, Volume]:
    """The volume after each stage."""
    p, device = method.parameters, machine.choose_device(method.device)
    upsampled = upsample_scan(scan, method.target_grid(scan.shape, scan.spacing), p, device)
    projector = make_projector(upsampled, p)
    start = ProjectedVolume.of(upsampled.consistent(), projector, Progress())
    prior = Prior.load(method.prior_place, device=device)
    degradation = make_view_degradation(upsampled, projector)
    restorer = Restorer(prior, upsampled, projector, degradation, p, method.seed)
    restored = restorer.restore(start, Progress())
    return {
        "cubic": upsampled.to_volume(upsampled.cubic),
        "+ consistency": upsampled.to_volume(upsampled.consistency.enforce(upsampled.cubic)),
        "+ slices": upsampled.to_volume(upsampled.enforce(restored.start.volume).round_()),
        "+ NAB-GS": super_resolve(scan, method).sr,
        "all, null_space=0": super_resolve(scan, changed(method, null_space=0)).sr,
    }


def changed(method: Method, **settings: Any) -> Method:
    """The method with some parameters set otherwise."""
    return replace(method, settings={**method.settings, **settings})


def main() -> None:
    """Print the table and write it as JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lr", type=Path)
    parser.add_argument("hr", type=Path)
    parser.add_argument("--scale", default="4")
    parser.add_argument("--preset", default="balanced")
    parser.add_argument("--prior", default="shipped")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    scan, truth = read_volume(options.lr), read_volume(options.hr)
    settings = parse_settings(options.set)
    method = Method(options.scale, options.preset, settings, options.prior)
    rows = stages(scan, method)
    scores = {name: {"psnr_db": psnr(v, truth), "ssim": ssim(v, truth)} for name, v in rows.items()}
    for name, score in scores.items():
        print(f"{name:<20}{score['psnr_db']:8.3f} dB{score['ssim']:8.4f}")
    if options.json:
        options.json.write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
