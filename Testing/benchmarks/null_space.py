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
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from CTSuperResolutionLib import pipeline
from CTSuperResolutionLib.job.method import Method, parse_settings
from CTSuperResolutionLib.job.parameters import Parameters
from CTSuperResolutionLib.projection import project
from CTSuperResolutionLib.projection.geometry import ScanGeometry
from CTSuperResolutionLib.stages.restore_views import RestoredViews, restore_views
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


def compare(scan: Volume, truth: Volume, method: Method) -> dict[str, dict[str, dict[str, float]]]:
    """The tables of views restored alone, and of those whose volume had its slices restored."""
    bounds = (method.parameters.hu_low, method.parameters.hu_high)
    turn = pipeline.Turn.of(method.factors(scan.spacing, scan.shape))
    true_volume = to_unit(torch.from_numpy(turn.volume(truth.array)), bounds)
    tables = {}

    def watched(volume: torch.Tensor, volume_views: torch.Tensor, *rest: Any, **options: Any) -> RestoredViews:
        spacing, geometry, degradation, prior, p = rest

        def unseen(views: torch.Tensor) -> torch.Tensor:
            return views - degradation.pseudo_inverse(degradation.apply(views))

        def restored(p: Parameters) -> RestoredViews:
            found = restore_views(volume, volume_views, spacing, geometry, degradation, prior, p, **options)
            tables[p.slice_gain] = table(products(unseen(found.views - volume_views), missing, geometry))
            return found

        missing = unseen(project(true_volume, spacing, geometry) - volume_views)
        if p.slice_gain:
            restored(replace(p, slice_gain=0, null_space=1))
        return restored(p)

    with patch.object(pipeline, "restore_views", watched):
        pipeline.super_resolve(scan, method)
    return {"slices first" if gain else "each view alone": found for gain, found in tables.items()}


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
    settings = parse_settings(options.set) | {
        "residual": "grid",
        "grid_steps": 1,
    }  # what becomes of the views is not looked at
    method = Method(options.scale, options.preset, settings, options.prior, device="cpu")
    tables = compare(read_volume(options.lr), read_volume(options.hr), method)
    for name, rows in tables.items():
        print(f"{name:<24}{'correlation':>12}{'energy':>8}{'share':>8}")
        for row, found in rows.items():
            print(f"  {row:<22}{found['correlation']:12.3f}{found['energy']:8.3f}{found['share']:8.3f}")
    if options.json:
        options.json.write_text(json.dumps(tables, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
