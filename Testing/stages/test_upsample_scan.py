"""What a scan's findings mean for what may be added to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from CTSuperResolutionLib.degradation.acquisition import Acquisition
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.stages import upsample_scan as upsample_scan_module
from CTSuperResolutionLib.stages.scan_findings import ScanFindings
from CTSuperResolutionLib.stages.upsample_scan import UpsampledScan, upsample_scan
from CTSuperResolutionLib.volume.volume import Volume


def upsampled(scale: str, sources: tuple[str, str, str]) -> UpsampledScan:
    """A thin plate of bone in thick slices of water, whose width along each axis is known from somewhere."""
    hu = np.zeros((9, 12, 12), np.float32)
    hu[4] = 1000
    scan = Volume(hu, (4.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    method = Method(scale=scale, settings={"psf": "triangle", "slice_width": 5.0, "pixel_width": 1.5})
    target = method.target_grid(scan.shape, scan.spacing)
    findings = ScanFindings.of(scan, target, method.parameters)
    z, y, x = (replace(axis, source=s) for axis, s in zip(findings.acquisition.axes, sources, strict=True))
    findings = replace(findings, acquisition=Acquisition((z, y, x)))
    return upsample_scan(scan, target, method.parameters, "cpu", findings)


@pytest.mark.parametrize(
    ("scale", "sources", "spared"),
    [
        ("4,1,1", ("measured", "spacing", "spacing"), False),
        ("4,1,1", ("set", "measured", "measured"), True),
        ("4,1,1", ("header", "spacing", "spacing"), True),
        ("4,2,1", ("measured", "measured", "measured"), True),
    ],
)
def test_a_change_along_a_measured_slice_profile_is_no_ringing(scale, sources, spared):
    scan = upsampled(scale, sources)
    volume = scan.consistent()
    change = 0.1 * (volume - volume.mean()).sign()
    kept = scan.spare_ringing(change.clone(), volume)
    assert torch.equal(kept, change) != spared


@pytest.mark.parametrize(("slices", "voxels"), [(3, 1 << 30), (100, 2000), (5, 1)])
def test_ringing_is_spared_the_same_whatever_is_looked_at_once(monkeypatch, slices, voxels):
    scan = upsampled("4,2,1", ("measured", "spacing", "spacing"))
    volume = scan.consistent()
    change = 0.1 * (volume - volume.mean()).sign()
    monkeypatch.setattr(upsample_scan_module, "SPARED_AT_ONCE", 100)
    monkeypatch.setattr(upsample_scan_module, "SPARED_VOXELS", 1 << 30)
    whole = scan.spare_ringing(change.clone(), volume)
    assert not torch.equal(whole, change)
    monkeypatch.setattr(upsample_scan_module, "SPARED_AT_ONCE", slices)
    monkeypatch.setattr(upsample_scan_module, "SPARED_VOXELS", voxels)
    torch.testing.assert_close(scan.spare_ringing(change.clone(), volume), whole, atol=1e-6, rtol=0)
