"""What ``ctsr info`` and a job find of this computer's memory, as far as that can be made up without its GPU."""

from __future__ import annotations

from types import SimpleNamespace

import psutil
import pytest
import torch

from CTSuperResolutionLib import machine
from CTSuperResolutionLib.gaussians.backends import choice


@pytest.fixture
def gpu(monkeypatch):
    """One GPU of 8 GB, as torch tells; set ``free`` to bytes, or to an error."""
    gpu = SimpleNamespace(name="NVIDIA RTX A2000", total_memory=8_000_000_000, free=5_000_000_000)

    def mem_get_info(device):
        if isinstance(gpu.free, Exception):
            raise gpu.free
        return gpu.free, gpu.total_memory

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: gpu)
    monkeypatch.setattr(torch.cuda, "mem_get_info", mem_get_info)
    monkeypatch.setattr(choice, "choose_backend", lambda device: SimpleNamespace(name="torch", why=""))
    return gpu


def test_a_gpus_memory_and_what_is_free_of_it_are_told(gpu):
    told = {"device": "cuda:0", "name": "NVIDIA RTX A2000", "memory_mb": 8000}
    assert machine.describe()["gpus"] == [told | {"free_mb": 5000}]
    gpu.free = torch.OutOfMemoryError("CUDA out of memory")
    assert machine.describe()["gpus"] == [told | {"free_mb": 0}]


def test_a_job_on_a_gpu_may_take_what_is_free_there_and_here(gpu, monkeypatch):
    monkeypatch.setattr(machine, "free_memory", lambda: 6_000_000_000)
    assert machine.available_memory(torch.device("cuda")) == 5_000_000_000
    assert machine.available_memory(torch.device("cpu")) == machine.available_memory() == 6_000_000_000


def test_where_the_system_does_not_tell_psutil_does(monkeypatch):
    monkeypatch.setattr(machine, "free_memory", lambda: None)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=3_000_000_000))
    assert machine.available_memory() == 3_000_000_000
