"""Backends that work here, for tests that every one of them has to pass."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cpu_library import library_or_skip
from cuda_emulator.emulator import Emulator, build, why_not

from CTSuperResolutionLib.gaussians.backends import native, reference


@pytest.fixture(scope="session", params=["torch", "native"])
def kernels(request: pytest.FixtureRequest) -> ModuleType:
    """Backends that work on a CPU in float64."""
    if request.param == "torch":
        return reference
    library_or_skip()
    return native


@pytest.fixture(scope="session", params=["native", "cuda emulated", "cuda"])
def fast(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[ModuleType | Emulator, torch.device]:
    """Backends that are to equal the reference implementation, in float32, and where they work."""
    if request.param == "native":
        library_or_skip()
        return native, torch.device("cpu")
    if request.param == "cuda emulated":
        if why_not():
            pytest.skip(why_not())
        return Emulator(build(tmp_path_factory.mktemp("emulator"))), torch.device("cpu")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here; the emulator runs the same kernels on the CPU")
    from CTSuperResolutionLib.gaussians.backends import cuda

    return cuda, torch.device("cuda")
