"""Intervals of the error on CTs of known truth: how many voxels they hold, by tissue, and how wide they are.

    python Testing/benchmarks/error_interval.py CT.nrrd … [--prior Resources/Evaluation/Prior]

Of every CT the middle at 1 mm is degraded to slices every 4 mm, with a triangle of 4 mm at half its height as their
profile, super-resolved by 4,1,1, and its interval compared with the truth, 8 voxels from the faces. "const" is the mean
half width over that of one width for all voxels that holds as many; how many of a tissue that one holds stands beside.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import scipy.ndimage as ndi
from scipy.stats import spearmanr

from CTSuperResolutionLib.degradation.point_spread import PointSpread, psf_matrix
from CTSuperResolutionLib.evaluation.protocol import EvaluationProtocol
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.pipeline import super_resolve
from CTSuperResolutionLib.quantification.tissue_shift import TISSUE_RANGES
from CTSuperResolutionLib.stages.scan_findings import ScanFindings
from CTSuperResolutionLib.trust.error_map import MASKED_HU
from CTSuperResolutionLib.trust.self_test import self_test
from CTSuperResolutionLib.volume.reading import read_volume
from CTSuperResolutionLib.volume.volume import Volume

FACTOR, EDGE, FEWEST = 4, 8, 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cts", nargs="+", type=Path)
    parser.add_argument("--prior", default="Resources/Evaluation/Prior")
    options = parser.parse_args()
    for path in options.cts:
        ct = read_volume(path)
        protocol = EvaluationProtocol(max(1.0, round(max(ct.spacing), 2)), (80, 128, 128), 1.0, 0.0, 0)
        truth = protocol.reference(ct)
        print(path.stem, judged(truth, options.prior), flush=True)


def judged(truth: Volume, prior: str) -> str:
    """One line on the interval of a reference's degraded copy."""
    rows, step = truth.shape[0] // FACTOR, truth.spacing[0]
    kept = truth.array[: rows * FACTOR]
    matrix = psf_matrix(
        PointSpread("triangle", FACTOR * step), (rows, FACTOR * step), (len(kept), step)
    )  # (coarse, fine)
    thick = np.ascontiguousarray(np.tensordot(matrix, kept, axes=1), dtype=np.float32)
    scan = Volume(thick, (FACTOR * step, *truth.spacing[1:]), truth.origin, truth.direction)
    method = Method(scale=f"{FACTOR},1,1", prior=prior)
    target = method.target_grid(scan.shape, scan.spacing)
    findings = ScanFindings.of(scan, target, method.parameters)
    test = self_test(scan, target, findings, method)
    if test is None:
        return "no test"
    result = super_resolve(scan, method, findings=findings)
    width = test.half_width(result.sr.array, result.cubic.array)
    inner = (slice(EDGE, -EDGE),) * 3
    body = _body(result.cubic.array)[inner].ravel()
    hu, error, width = (v[inner].ravel() for v in (result.cubic.array, np.abs(result.sr.array - kept), width))
    held = error <= width
    tissues = {name: (hu >= low) & (hu < high) for name, (low, high) in TISSUE_RANGES.items()}
    one_width = np.quantile(error, held.mean())
    by_tissue = ", ".join(
        f"{name} {100 * held[own].mean():.1f} (±{width[own].mean():.0f} HU; "
        f"one width {100 * (error[own] <= one_width).mean():.1f})"
        for name, own in tissues.items()
        if np.count_nonzero(own) >= FEWEST
    )
    tenth = width >= np.quantile(width, 0.9)
    in_body = width[body].mean() / np.quantile(error[body], held[body].mean())
    return (
        f"holds {100 * held.mean():.1f} %, in the body {100 * held[body].mean():.1f} %: {by_tissue}; "
        f"const {width.mean() / one_width:.2f}, in the body {in_body:.2f}; "
        f"rank correlation in the body {spearmanr(width[body], error[body]).statistic:.2f}; "
        f"errors above {MASKED_HU:.0f} HU in the widest tenth {100 * np.mean(tenth[error > MASKED_HU]):.0f} %; "
        f"factor {test.factor:.2f}"
    )


def _body(hu: np.ndarray) -> np.ndarray:
    """What is inside the outline of matter, slice by slice."""
    matter = ndi.binary_opening(hu > -500, iterations=2)
    return np.stack([ndi.binary_fill_holes(plane) for plane in matter])


if __name__ == "__main__":
    main()
