#!/usr/bin/env python3
"""What every stage of the method gives on one case: python Testing/benchmarks/stages.py LR HR [--scale 4] [--preset …]

Runs the pipeline twice, with the prior and with its null-space part left out, and scores the volume after each stage
against the HR reference: PSNR and SSIM as the paper counts them.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from CTSuperResolutionLib import pipeline
from CTSuperResolutionLib.evaluation.metrics import psnr, ssim
from CTSuperResolutionLib.job.spec import JobSpec, parse_settings
from CTSuperResolutionLib.volume.reading import read_volume
from CTSuperResolutionLib.volume.volume import Volume


def stages(scan: Volume, spec: JobSpec) -> dict[str, Volume]:
    """The volume after each stage. The pipeline's two calls of the consistency step are where they can be seen."""
    seen: list[np.ndarray] = []
    agree = pipeline.agree_with_scan
    turn = pipeline.Turn.of(spec.factors(scan.spacing, scan.shape))

    def watched(fine: torch.Tensor, *rest: object, **options: object) -> torch.Tensor:
        result = agree(fine, *rest, **options)
        seen.extend(turn.back(array.cpu().numpy()).copy() for array in (fine, result))
        return result

    pipeline.agree_with_scan = watched
    try:
        result = pipeline.super_resolve(scan, spec)
    finally:
        pipeline.agree_with_scan = agree
    names = ("cubic", "cubic, consistent", "NAB-GS", "NAB-GS, consistent")
    return dict(zip(names, map(result.sr.with_array, seen), strict=True))


def main() -> None:
    """Print the table and write it as JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lr", type=Path)
    parser.add_argument("hr", type=Path)
    parser.add_argument("--scale", default="4")
    parser.add_argument("--preset", default="balanced")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    scan, truth = read_volume(options.lr), read_volume(options.hr)
    spec = JobSpec("scan", "out", options.scale, options.preset, settings=dict(parse_settings(options.set)))
    with_prior = stages(scan, spec)
    without = stages(scan, replace(spec, settings={**spec.settings, "null_space": 0}))
    rows = {f"{name}, no prior" if "NAB" in name else name: volume for name, volume in without.items()}
    rows |= {f"{name}, prior": volume for name, volume in with_prior.items() if "NAB" in name}
    scores = {name: {"psnr_db": psnr(v, truth), "ssim": ssim(v, truth)} for name, v in rows.items()}
    for name, score in scores.items():
        print(f"{name:<30}{score['psnr_db']:8.3f} dB{score['ssim']:8.4f}")
    if options.json:
        options.json.write_text(json.dumps(scores, indent=2) + "\n")


if __name__ == "__main__":
    main()
