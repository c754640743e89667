"""Emulator of the CUDA kernels: their own text, built for the CPU, driven by the launches that a GPU gets."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import torch

from CTSuperResolutionLib.gaussians.backends import launches
from CTSuperResolutionLib.gaussians.backends.field_arrays import UNSOUND, check_shapes
from CTSuperResolutionLib.gaussians.backends.frames import Grid, View
from CTSuperResolutionLib.kernels.constants import FRAME_WORDS
from CTSuperResolutionLib.kernels.files import CHECKOUT

HERE = Path(__file__).resolve().parent
FLAGS = ("-std=c++17", "-O2", "-shared", "-fPIC", "-pthread", "-fno-strict-aliasing", "-U_FORTIFY_SOURCE")


def why_not() -> str | None:
    """Why kernels cannot be emulated here; None where they can."""
    if shutil.which("g++") is None:
        return "the emulator of CUDA is built with g++, which is not here"
    probe = "#include <ucontext.h>\nint main() { ucontext_t c; return getcontext(&c); }"
    done = subprocess.run(["g++", "-xc++", "-fsyntax-only", "-"], input=probe, capture_output=True, text=True)
    return None if done.returncode == 0 else "the emulator of CUDA needs ucontext.h, which is not here"


def build(folder: Path) -> Path:
    """Build the library in a folder; returns its path."""
    library = folder / "emulated_kernels.so"
    command = ["g++", *FLAGS, "-Wno-unknown-pragmas", f"-I{CHECKOUT}", str(HERE / "kernels.cpp"), "-o", str(library)]
    subprocess.run(command, check=True)
    return library


class Emulator:
    """A launcher that runs kernels on the CPU, and the backend made of it.

    Args:
        library: what :func:`build` returned.
        schedule: order of threads and of blocks: 0 first to last, 1 last to first, any other number one of its own.
        processors: what the launches believe they have.
    """

    def __init__(self, library: Path, schedule: int = 0, processors: int = 2) -> None:
        self.processors = processors
        self.schedule = schedule
        self._library = ctypes.CDLL(str(library))
        self._library.run_kernel.restype = ctypes.c_char_p
        self._flag = torch.zeros(1, dtype=torch.int32)
        self.unsound = self._flag.data_ptr()

    def __call__(self, name: str, blocks: int, threads: int, *arguments: int | float) -> None:
        values = [ctypes.c_double(a) if isinstance(a, float) else ctypes.c_int64(a) for a in arguments]
        addresses = (ctypes.c_void_p * len(values))(*[ctypes.addressof(value) for value in values])
        fault = self._library.run_kernel(name.encode(), blocks, threads, addresses, self.schedule)
        assert fault is None, f"{name}: {fault.decode()}"

    def rasterize(self, *arguments):
        """As the backend cuda."""
        *field, geometry, view = arguments
        return self._render(field, View.of(geometry, view), geometry.detector_shape)

    def voxelize(self, *arguments):
        """As the backend cuda."""
        *field, grid = arguments
        return self._render(field, Grid.of(grid), grid.shape)

    def view_loss(self, rendered, target, data_range, *, absolute, dissimilarity):
        """As the backend cuda."""
        return launches.view_loss(self, rendered, target, data_range, absolute, dissimilarity)

    def check(self) -> None:
        """As the backend cuda."""
        if self._flag.item():
            self._flag.zero_()
            raise ValueError(UNSOUND)

    def _render(self, field, frame, shape):
        check_shapes(*field)
        self.check()
        place = torch.empty(FRAME_WORDS, dtype=torch.int64)
        launches.put_frame(self, frame, place)
        return launches.RenderField.apply(*field, place, shape, self)
