#!/usr/bin/env python3
"""What a prior knows of the part of a view that the detector cannot see: null_space.py LR HR [--scale 4] [--prior …]

Restores views of the LR scan and compares what the prior adds to those of the sharpened volume with what the HR
reference's views have beyond them, both without the part that the detector measures, A†A: correlation, energy (norm
relative to the truth's) and Wiener's share, correlation / energy, which is the best one to keep. Once for every view
restored alone and once for the views of the volume whose slices were restored before; over everything, by quarters of
the half turn, and by bands of the detector's frequencies, 1 being its Nyquist frequency along an axis and the last
band the corners beyond.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from CTSuperResolutionLib import machine
from CTSuperResolutionLib.diffusion.prior import Prior
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.method import Method, parse_settings
from CTSuperResolutionLib.projection.geometry import ScanGeometry
from CTSuperResolutionLib.stages.project_volume import ProjectedVolume, make_projector, make_view_degradation
from CTSuperResolutionLib.stages.restore_views import Restorer
from CTSuperResolutionLib.stages.upsample_scan import upsample_scan
from CTSuperResolutionLib.volume.intensity import to_unit
from CTSuperResolutionLib.volume.reading import read_volume
from CTSuperResolutionLib.volume.volume import Volume

QUARTERS = 4
BANDS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5)  # lower and upper ends, of the detector's Nyquist frequency


def products(added: torch.Tensor, missing: torch.Tensor, geometry: ScanGeometry) -> np.ndarray:
    """⟨a, m⟩, ⟨a, a⟩ and ⟨m, m⟩ of views a and m, summed over (quarter of the half turn, band of frequencies)."""
    frequencies = np.meshgrid(*(2 * np.fft.fftfreq(n) for n in geometry.detector_shape), indexing="ij")
    bands = np.digitize(np.hypot(*frequencies), BANDS[1:-1]).ravel()
    sums = np.zeros((QUARTERS, len(BANDS) - 1, 3))
    for angle, *views in zip(geometry.angles, added.numpy(), missing.numpy(), strict=True):
        a, m = (np.fft.fft2(view).ravel() for view in views)
        of_view = [(x * y.conj()).real for x, y in ((a, m), (a, a), (m, m))]
        sums[int(QUARTERS * angle / np.pi)] += np.stack([np.bincount(bands, x, len(BANDS) - 1) for x in of_view], 1)
    return sums


def figures(sums: np.ndarray) -> dict[str, float]:
    """Correlation, energy and the best share to keep, of sums (…, 3) over views and frequencies."""
    both, added, missing = sums.reshape(-1, 3).sum(0)
    correlation, energy = both / np.sqrt(added * missing), np.sqrt(added / missing)
    return {"correlation": correlation, "energy": energy, "share": correlation / energy}


def table(sums: np.ndarray) -> dict[str, dict[str, float]]:
    """The figures of everything, of every quarter and of every band."""
    ends = np.linspace(0, 180, QUARTERS + 1)
    return {
        "all": figures(sums),
        **{f"{ends[k]:g}° to {ends[k + 1]:g}°": figures(sums[k]) for k in range(QUARTERS)},
        **{f"Nyquist {BANDS[k]:g} to {BANDS[k + 1]:g}": figures(sums[:, k]) for k in range(len(BANDS) - 1)},
    }


@torch.no_grad()
def compare(scan: Volume, truth: Volume, method: Method) -> dict[str, dict[str, dict[str, float]]]:
    """The tables of views restored alone, and of those whose volume had its slices restored."""
    p, progress, device = method.parameters, Progress(), machine.choose_device(method.device)
    upsampled = upsample_scan(scan, method.target_grid(scan.shape, scan.spacing), p, device)
    projector = make_projector(upsampled, p)
    start = ProjectedVolume.of(upsampled.consistent(), projector, progress)
    degradation = make_view_degradation(upsampled, projector)
    prior = Prior.load(method.prior_place, device=device)

    def unseen(views: torch.Tensor) -> torch.Tensor:
        return views - degradation.A_dagger(degradation.A(views))

    true_volume = to_unit(torch.from_numpy(upsampled.axis_order.to_scanner_order(truth.array)), upsampled.hu_range)
    missing = unseen(projector.forward(true_volume) - start.views)
    ways = {"each view alone": replace(p, slice_gain=0, null_space=1), "slices first": p} if p.slice_gain else {"": p}
    tables = {}
    for name, parameters in ways.items():
        restorer = Restorer(prior, upsampled, projector, degradation, parameters, method.seed)
        found = restorer.restore(start, progress)
        tables[name or "each view alone"] = table(
            products(unseen(found.views - start.views), missing, projector.geometry)
        )
    return tables


def main() -> None:
    """Print the tables and write them as JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lr", type=Path)
    parser.add_argument("hr", type=Path)
    parser.add_argument("--scale", default="4")
    parser.add_argument("--preset", default="balanced")
    parser.add_argument("--prior", default="shipped")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    method = Method(options.scale, options.preset, parse_settings(options.set), options.prior, device="cpu")
    tables = compare(read_volume(options.lr), read_volume(options.hr), method)
    for name, rows in tables.items():
        print(f"{name:<24}{'correlation':>12}{'energy':>8}{'share':>8}")
        for row, found in rows.items():
            print(f"  {row:<22}{found['correlation']:12.3f}{found['energy']:8.3f}{found['share']:8.3f}")
    if options.json:
        options.json.write_text(json.dumps(tables, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
