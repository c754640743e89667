#!/usr/bin/env python3
"""What slice repair gains, part by part: python Testing/benchmarks/slice_repair.py FOLDER [--rows LIST] [--set …]

Scans the CTs of a folder with few views as ``ctsr evaluate --sparse-views`` does, fits a backbone, and prints PSNR and
SSIM in 3D of DiffNR with and without its parts, a line for every CT and number of views, and the means. The fit
without a guide is done once for the rows that begin with it.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

from CTSuperResolutionLib.diffusion.slice_fixer.slice_fixer import SliceFixer
from CTSuperResolutionLib.evaluation.protocol import EvaluationProtocol
from CTSuperResolutionLib.evaluation.sparse_view_scores import sparse_view_scores
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.method import parse_settings
from CTSuperResolutionLib.reconstruction.diffnr import fit_with_repair
from CTSuperResolutionLib.reconstruction.gaussian_backbone import GaussianBackbone
from CTSuperResolutionLib.reconstruction.methods import ReconstructionMethod
from CTSuperResolutionLib.reconstruction.naf import NafBackbone
from CTSuperResolutionLib.reconstruction.projections import Projections
from CTSuperResolutionLib.reconstruction.reconstruct import slice_repair
from CTSuperResolutionLib.reconstruction.settings import Settings
from CTSuperResolutionLib.reconstruction.simulation import SimulatedScan, simulate
from CTSuperResolutionLib.volume.ct_files import find_cts
from CTSuperResolutionLib.volume.reading import read_volume

ROWS = {
    "backbone": {"guide": "none", "repair_rounds": 0},
    "sweeps": {"guide": "none", "repaired": "no"},
    "post": {"guide": "none"},
    "diffnr": {},
    "l1": {"guide": "l1"},
    "no-biplanar": {"biplanar": "no"},
}
"""Settings by row: the backbone alone, the same sweeps without a repair, repair at the end alone, and DiffNR with L1 in
place of the similarity, and without the projections."""


def volumes(scan: Projections, rows: list[str], chosen: dict[str, object], fixer: SliceFixer):
    """Name, volume (z, y, x) relative to water, and seconds of the processor, row by row."""
    water, fitted, fit_seconds = scan.water_mm(), None, 0.0
    for name in rows:
        p, began = Settings.of({**chosen, **ROWS[name]}), time.process_time()
        make, steps = (GaussianBackbone, p.gaussian_steps) if p.backbone == "gaussians" else (NafBackbone, p.naf_steps)
        repair = slice_repair(fixer, water, scan, p, Progress())
        if p.guide == "none":
            if fitted is None:
                backbone = make(water, scan.projector, p, iterations=steps, seed=0)
                for _ in range(steps):
                    backbone.step()
                fitted, fit_seconds = backbone.volume(), time.process_time() - began
                began = time.process_time()
            yield name, repair(fitted), time.process_time() - began + fit_seconds
        else:
            backbone = make(water, scan.projector, p, iterations=steps, seed=0)
            found = fit_with_repair(backbone, repair, p, steps=steps, seed=0, progress=Progress())
            yield name, found, time.process_time() - began


def main() -> None:
    """Print a line for every CT, number of views and row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--views", default="36,24,12")
    parser.add_argument("--iso", type=float, default=4.0)
    parser.add_argument("--crop", default="64,64,64")
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--set", action="append", default=[])
    options = parser.parse_args()
    chosen = parse_settings(options.set)
    fixer = SliceFixer.load(ReconstructionMethod("diffnr").fixer_folder)
    z, y, x = map(int, options.crop.split(","))
    protocol = EvaluationProtocol(options.iso, (z, y, x), 0.0, 0.0, 0)
    means: dict[tuple[str, int], list[tuple[float, float]]] = defaultdict(list)
    for ct, path in find_cts(options.folder).items():
        reference = protocol.reference(read_volume(path))
        for views in map(int, options.views.split(",")):
            scan = simulate(reference, SimulatedScan(views=views))
            for row, volume, seconds in volumes(scan, options.rows.split(","), chosen, fixer):
                scores = sparse_view_scores(scan.volume(volume), reference)
                pair = scores["psnr_db"], scores["ssim_3d"]
                means[row, views].append(pair)
                print(f"{ct:<28}{views:3d} {row:<12}{pair[0]:6.2f} dB {pair[1]:.4f}{seconds:6.0f} s", flush=True)
    for (row, views), pairs in means.items():
        psnr, ssim = np.mean(pairs, axis=0)
        print(f"{'mean':<28}{views:3d} {row:<12}{psnr:6.2f} dB {ssim:.4f}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
