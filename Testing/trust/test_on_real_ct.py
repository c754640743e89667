"""The interval on a part of a real CT that the prior never saw, degraded to thick slices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from CTSuperResolutionLib.degradation.point_spread import PointSpread, psf_matrix
from CTSuperResolutionLib.evaluation.protocol import EvaluationProtocol
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.pipeline import super_resolve
from CTSuperResolutionLib.stages.scan_findings import ScanFindings
from CTSuperResolutionLib.trust.self_test import self_test
from CTSuperResolutionLib.volume.reading import read_volume
from CTSuperResolutionLib.volume.volume import Volume

TWIN = Path(__file__).resolve().parents[2] / "Resources" / "Evaluation" / "Prior"


@pytest.mark.slow
def test_nine_of_ten_voxels_are_within_and_most_of_every_tissue(shared_data):
    ct = read_volume(shared_data / "ct" / "chest_lidc0314.nrrd")
    truth = EvaluationProtocol(1.0, (56, 112, 96), 1.0, 0.0, 0).reference(ct)
    matrix = psf_matrix(PointSpread("gaussian", 4.0), (14, 4.0), (56, 1.0))
    thick = np.ascontiguousarray(np.tensordot(matrix, truth.array, axes=1), dtype=np.float32)
    scan = Volume(thick, (4.0, 1.0, 1.0), truth.origin, truth.direction)
    method = Method(scale="4,1,1", prior=str(TWIN))
    target = method.target_grid(scan.shape, scan.spacing)
    findings = ScanFindings.of(scan, target, method.parameters)
    test = self_test(scan, target, findings, method)
    result = super_resolve(scan, method, findings=findings)
    inner = (slice(8, -8),) * 3
    held = (np.abs(result.sr.array - truth.array) <= test.half_width(result.sr.array, result.cubic.array))[inner]
    hu = result.cubic.array[inner]
    assert np.mean(held) == pytest.approx(0.9, abs=0.04)
    for low, high in ((-950, -500), (-30, 150), (300, 3071)):
        assert np.mean(held[(hu >= low) & (hu < high)]) > 0.83
