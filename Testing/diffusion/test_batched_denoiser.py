"""Images at once: as many as memory holds."""

from types import SimpleNamespace

import pytest
import torch

from CTSuperResolutionLib.diffusion import batched_denoiser
from CTSuperResolutionLib.diffusion.batched_denoiser import BatchedDenoiser, batch_size
from CTSuperResolutionLib.job.events import Progress


def main_memory_runs_out() -> None:
    torch.empty(2**50, dtype=torch.uint8)  # a petabyte: more than a process can address


def windows_memory_runs_out() -> None:
    raise RuntimeError("[enforce fail at alloc_cpu.cpp:121] data. DefaultCPUAllocator: not enough memory: you tried")


def gpu_memory_runs_out() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def python_memory_runs_out() -> None:
    raise MemoryError


def prior_of(most: int, fail, asked: list[int]) -> SimpleNamespace:
    def predict_noise(images: torch.Tensor, step: int, neighbours: None = None) -> torch.Tensor:
        asked.append(len(images))
        if len(images) > most:
            fail()
        return images * step

    return SimpleNamespace(predict_noise=predict_noise)


@pytest.mark.parametrize(
    "fail", [main_memory_runs_out, windows_memory_runs_out, gpu_memory_runs_out, python_memory_runs_out]
)
def test_what_does_not_fit_is_halved_until_it_does_and_stays_so(fail):
    asked: list[int] = []
    denoiser = BatchedDenoiser(prior_of(3, fail, asked), 8, Progress())
    images = torch.rand(11, 4, 4)
    torch.testing.assert_close(denoiser.predict_noise(images, 7), images * 7)
    assert asked == [8, 4, 2, 2, 2, 2, 2, 1]
    assert list(denoiser.split([5, 6, 7])) == [[5, 6], [7]]


def test_other_errors_are_not_taken_for_a_lack_of_memory():
    def broken() -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1"):
        BatchedDenoiser(prior_of(1, broken, []), 4, Progress()).predict_noise(torch.rand(4, 4, 4), 1)


@pytest.mark.parametrize(
    ("free", "views"), [(8_000_000_000, 1), (24_000_000_000, 4), (100_000_000_000, 16), (1_000_000, 1)]
)
def test_a_gpu_takes_half_of_its_free_memory(monkeypatch, free, views):
    """On 512 x 512 pixels a view of the paper's network takes 2.6 GB."""
    monkeypatch.setattr(batched_denoiser.machine, "available_memory", lambda device: free)
    assert batch_size((512, 512), torch.device("cuda")) == views


def test_a_cpu_takes_few_however_much_memory_is_free():
    assert batch_size((128, 128), torch.device("cpu")) == 4
    assert batch_size((2048, 2048), torch.device("cpu")) == 1
