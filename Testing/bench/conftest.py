"""Fixtures that the tests of the benchmark share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Small work is slower on several threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def benchmarks_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the benchmark scripts, which import each other by name."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield BENCHMARKS
    for name in ("absent_packages", "gpu_targets", "gpu_parts"):
        sys.modules.pop(name, None)
