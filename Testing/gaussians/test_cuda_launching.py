"""The backend "cuda" itself, with cuda-core and torch's device played by stand-ins and the kernels by the emulator."""

from __future__ import annotations

import contextlib
import math
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cuda_emulator.emulator import Emulator, build, why_not

from CTSuperResolutionLib.gaussians.backends import choice, cuda, launches, reference
from CTSuperResolutionLib.gaussians.scene import VoxelGrid
from CTSuperResolutionLib.projection.geometry import ScanGeometry

GEOMETRY = ScanGeometry((0.2, 0.9), (20, 30), (0.08, 0.06))
GRID = VoxelGrid((6, 10, 12), (0.1, 0.1, 0.1), (-0.3, -0.5, -0.6))
DEVICE = torch.device("cuda", 0)


class Core:
    """What this library uses of cuda.core. Code that starts with "bad" cannot be loaded."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self.launched: list[tuple] = []
        self.entered: list[int] = []
        self.ObjectCode = SimpleNamespace(from_cubin=self._from_cubin)
        self.Stream = SimpleNamespace(from_handle=lambda handle: f"stream {handle}")
        self.LaunchConfig = lambda grid, block: (grid, block)

    def Device(self, index: int) -> SimpleNamespace:
        return SimpleNamespace(set_current=lambda: self.entered.append((index, threading.get_ident())))

    def launch(self, stream: str, config: tuple[int, int], kernel: str, *arguments: int | float) -> None:
        self.launched.append((stream, kernel))
        self._emulator(kernel, *config, *arguments)

    @staticmethod
    def _from_cubin(code: bytes) -> SimpleNamespace:
        if code.startswith(b"bad"):
            raise RuntimeError("CUDA_ERROR_NO_BINARY_FOR_GPU")
        return SimpleNamespace(get_kernel=lambda name: name)


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    return build(tmp_path_factory.mktemp("emulator"))


@pytest.fixture
def core(library, monkeypatch) -> Core:
    """A GPU of compute capability 9.0 whose memory is that of the CPU."""
    core = Core(Emulator(library))
    monkeypatch.setattr(cuda, "import_cuda_core", lambda: core)
    monkeypatch.setattr(cuda, "machine_code", lambda architecture, anew=False: b"code for " + architecture.encode())
    monkeypatch.setattr(cuda, "_loaded", {})
    fakes = {
        "device": lambda index: contextlib.nullcontext(),
        "current_device": lambda: 0,
        "current_stream": lambda: SimpleNamespace(cuda_stream=7),
        "synchronize": lambda index: None,
        "get_device_properties": lambda index: SimpleNamespace(multi_processor_count=2),
        "get_device_capability": lambda index: (9, 0),
    }
    for name, fake in fakes.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    zeros, empty, load = torch.zeros, torch.empty, cuda.load_kernels
    monkeypatch.setattr(torch, "zeros", lambda *shape, pin_memory=False, **others: zeros(*shape, **others))
    monkeypatch.setattr(torch, "empty", lambda *shape, device=None, **others: empty(*shape, **others))
    monkeypatch.setattr(cuda, "load_kernels", lambda device: load(DEVICE))
    return core


def make_gaussians(dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    means, scales, quats, densities = (torch.randn(30, n, generator=generator) for n in (3, 3, 4, 1))
    return [g.to(dtype).requires_grad_() for g in (0.3 * means, 0.3 * scales - 3, quats, densities[:, 0])]


def test_renders_as_the_reference_does(core):
    backend = choice._cuda(DEVICE)
    assert backend.name == "cuda" and backend.why == "CUDA kernels render the Gaussians (sm_90)."
    rendered, gradients = [], []
    for kernels, dtype in ((backend.kernels, torch.float32), (reference, torch.float64)):
        gaussians = make_gaussians(dtype)
        image, volume = kernels.rasterize(*gaussians, GEOMETRY, 1), kernels.voxelize(*gaussians, GRID)
        loss, gradient = kernels.view_loss(image, image.detach().flip(0), 1.0, absolute=1.0, dissimilarity=0.2)
        torch.autograd.backward([image, volume], [gradient, volume.detach()])
        rendered.append((image.detach(), volume.detach(), loss, gradient))
        gradients.append([g.grad for g in gaussians])
    for ours, theirs in zip((*rendered[0], *gradients[0]), (*rendered[1], *gradients[1]), strict=True):
        torch.testing.assert_close(ours.double(), theirs.double(), rtol=0, atol=1e-4 * theirs.abs().max().item())
    assert {stream for stream, _ in core.launched} == {"stream 7"}


def test_other_precisions_are_left_to_the_reference(core):
    gaussians = make_gaussians(torch.float64)
    assert torch.equal(cuda.rasterize(*gaussians, GEOMETRY, 0), reference.rasterize(*gaussians, GEOMETRY, 0))
    assert torch.equal(cuda.voxelize(*gaussians, GRID), reference.voxelize(*gaussians, GRID))
    weights = {"absolute": 1.0, "dissimilarity": 0.2}
    images = torch.rand(2, 9, 9, dtype=torch.float64)
    assert cuda.view_loss(*images, 1.0, **weights)[0] == reference.view_loss(*images, 1.0, **weights)[0]
    assert not core.launched


@pytest.mark.parametrize("asked", ["check", "next call"])
def test_unsound_input_raises_when_it_is_found_out(core, asked):
    gaussians = [g.detach() for g in make_gaussians()]
    gaussians[0][3, 1] = math.nan
    cuda.rasterize(*gaussians, GEOMETRY, 0)
    with pytest.raises(ValueError, match="not finite or far too large"):
        cuda.check() if asked == "check" else cuda.voxelize(*make_gaussians(), GRID)
    cuda.check()
    assert cuda.rasterize(*make_gaussians(), GEOMETRY, 0).isfinite().all()


def test_every_thread_enters_the_device_once(core):
    """Autograd's threads may come here before torch has made its context theirs."""
    cuda.rasterize(*make_gaussians(), GEOMETRY, 0)
    assert core.entered == [(0, threading.get_ident())]
    other = threading.Thread(target=lambda: [cuda.voxelize(*make_gaussians(), GRID) for _ in range(2)])
    other.start()
    other.join()
    assert core.entered == [(0, threading.main_thread().ident), (0, other.ident)]


def test_code_that_the_driver_refuses_is_compiled_anew(core, monkeypatch):
    asked = []

    def machine_code(architecture: str, *, anew: bool = False) -> bytes:
        asked.append(anew)
        return b"good" if anew else b"bad"

    monkeypatch.setattr(cuda, "machine_code", machine_code)
    assert cuda.rasterize(*make_gaussians(), GEOMETRY, 0).isfinite().all()
    assert asked == [False, True]


def test_torch_renders_where_the_driver_refuses_all_code(core, monkeypatch):
    monkeypatch.setattr(cuda, "machine_code", lambda architecture, anew=False: b"bad")
    backend = choice._cuda(DEVICE)
    assert backend.name == "torch"
    assert "the driver does not load the kernels (CUDA_ERROR_NO_BINARY_FOR_GPU)" in backend.why


def test_a_frame_can_be_written_anew(core):
    """The same launches on the same memory render another view."""
    kernels, gaussians = cuda.load_kernels(DEVICE), make_gaussians()
    frame = kernels.frame(cuda.View.of(GEOMETRY, 0))
    launches.put_frame(kernels, cuda.View.of(GEOMETRY, 1), frame)
    rendered = launches.RenderField.apply(*gaussians, frame, GEOMETRY.detector_shape, kernels)
    assert torch.equal(rendered, cuda.rasterize(*gaussians, GEOMETRY, 1))
    assert not torch.equal(rendered, cuda.rasterize(*gaussians, GEOMETRY, 0))
