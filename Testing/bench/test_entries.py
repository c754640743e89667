"""Which backend is measured on which processor."""

from __future__ import annotations

import pytest
import torch

from CTSuperResolutionLib.bench import benchmark, runners
from CTSuperResolutionLib.bench.benchmark import BenchmarkRequest
from CTSuperResolutionLib.bench.runners import find_backends
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.gaussians.backends import reference
from CTSuperResolutionLib.gaussians.backends.choice import Backend

CPU, GPU = torch.device("cpu"), torch.device("cuda:0")


@pytest.fixture
def all_work(monkeypatch):
    """As on a machine with a GPU and the CPU library."""
    names = {"cpu": "native", "cuda": "cuda"}
    monkeypatch.setattr(
        runners, "choose_backend", lambda device: Backend(names[device.type], f"On {device}.", reference)
    )


@pytest.fixture
def nothing_works(monkeypatch):
    monkeypatch.setattr(runners, "choose_backend", lambda device: Backend("torch", "It was not built.", reference))


def request_of(backends, device):
    return BenchmarkRequest(("rasterize",), ("cone",), (10,), (8,), backends, device, (1, 4), 3)


@pytest.mark.parametrize(
    ("names", "device", "expected"),
    [
        ((), CPU, [("torch", CPU, 1), ("torch", CPU, 4), ("native", CPU, 1), ("native", CPU, 4)]),
        ((), GPU, [("torch", GPU, None), ("cuda", GPU, None)]),
        (("cuda", "native"), GPU, [("cuda", GPU, None), ("native", CPU, 1), ("native", CPU, 4)]),
    ],
)
def test_every_backend_has_its_device_and_a_cpu_its_threads(all_work, names, device, expected):
    backends, missing = find_backends(names, device)
    entries = benchmark._entries(backends, request_of(names, device))
    assert [(entry.backend.name, entry.processor.device, entry.processor.threads) for entry in entries] == expected
    assert missing == []


def test_without_the_library_the_reference_alone_is_measured_and_it_is_said_why(nothing_works):
    backends, missing = find_backends((), CPU)
    assert list(backends) == ["torch"] and missing == ["It was not built."]


def test_kernels_that_were_asked_for_have_to_work(nothing_works):
    with pytest.raises(JobError, match=r"does not work here \(It was not built\); choose backends torch\."):
        find_backends(("native", "torch"), CPU)
