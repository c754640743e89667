"""Small jobs at 2x, done in this process, and how well their files agree with the scan."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from CTSuperResolutionLib.degradation.operator import assumed_blur, make_degradation
from CTSuperResolutionLib.job.events import Reporter
from CTSuperResolutionLib.job.job import Job
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.output.run_job import run_job
from CTSuperResolutionLib.volume.reading import open_scan

QUICK = {"views": 12, "iterations": 20, "gaussians": 500, "max_gaussians": 1000, "psf": "lanczos"}
METHOD = Method("2", "preview", QUICK, device="cpu")


@pytest.fixture(autouse=True, scope="package")
def one_thread() -> Iterator[None]:
    """Small work is slower on several threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def method() -> Method:
    """A quick method at 2x."""
    return METHOD


@pytest.fixture(scope="session")
def run() -> Callable[..., dict]:
    """Do a job with that method, or another one, on a scan, or on a region of it."""

    def run(scan: Path, out: Path, roi: str | None = None, method: Method = METHOD) -> dict:
        progress = Reporter(lambda event: None, memory=lambda: {"memory_mb": 1.0, "peak_mb": 1.0})
        return run_job(Job(method, str(scan), str(out), roi=roi), progress, lambda folder: open_scan(scan))

    return run


@pytest.fixture(scope="session")
def hu() -> Callable[[Path], np.ndarray]:
    """The voxels of a file, float64."""
    return lambda path: sitk.GetArrayFromImage(sitk.ReadImage(str(path))).astype(np.float64)


@pytest.fixture(scope="session")
def residual() -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A x − y of a fine volume and a scan, with the blur that the method assumes."""

    def residual(fine: np.ndarray, scan: np.ndarray) -> np.ndarray:
        degradation = make_degradation(fine.shape, (2, 2, 2), blur=assumed_blur(1.0, (2, 2, 2)))
        return (degradation.A(torch.from_numpy(fine)) - torch.from_numpy(scan)).numpy()

    return residual


@pytest.fixture(scope="session")
def norms() -> Callable[[np.ndarray], dict]:
    """Root mean square and largest value, under their names in a report."""
    return lambda error: {"rms_hu": np.sqrt(np.mean(error**2)), "max_hu": abs(error).max()}
