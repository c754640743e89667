"""The CUDA kernels compile, with nvcc and with NVRTC, and what is compiled is kept. None of it needs a GPU."""

from __future__ import annotations

import importlib
import math
import re
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from CTSuperResolutionLib.gaussians.backends import choice, cuda, launches, nvrtc, reference
from CTSuperResolutionLib.kernels import constants as sizes
from CTSuperResolutionLib.kernels.files import CHECKOUT, kernel_sources

ARCHITECTURES = ("75", "80", "86", "89", "90", "100", "120")


@pytest.mark.slow
def test_nvcc_compiles_without_a_warning(tmp_path):
    if shutil.which("nvcc") is None:
        pytest.skip("nvcc is not here")
    listed = subprocess.run(["nvcc", "--list-gpu-code"], capture_output=True, text=True, check=True).stdout.split()
    known = [a for a in ARCHITECTURES if f"sm_{a}" in listed]
    assert {"75", "90"} <= set(known)
    targets = [f"-gencode=arch=compute_{a},code=sm_{a}" for a in known]
    warnings = ["-Werror", "all-warnings", "-Xcompiler", "-Wall,-Wextra"]
    command = ["nvcc", f"-std={nvrtc.STANDARD}", "--threads", "2", *targets, *warnings, "-Xptxas", "--warn-on-spills"]
    files = ["-c", str(kernel_sources() / "cuda" / "kernels.cu"), "-o", str(tmp_path / "kernels.o")]
    done = subprocess.run([*command, *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr


@pytest.mark.parametrize("architecture", ["sm_75", "sm_90", "sm_120"])
def test_nvrtc_compiles_the_same_text(architecture):
    core = pytest.importorskip("cuda.core", reason="cuda-core is not installed")
    if int(core.__version__.split(".")[0]) < 1 and not torch.cuda.is_available():
        pytest.skip("cuda-core before 1.0 compiles only where there is a driver")
    try:
        code = nvrtc.compile_source(nvrtc.read_source(), architecture)
    except nvrtc.CompileError as error:
        if "NVRTC is missing" in str(error) or "invalid value for --gpu-architecture" in str(error):
            pytest.skip(str(error))
        raise
    assert code[:4] == b"\x7fELF"
    assert b"rasterize_forward" in code and b"voxelize_backward" in code


def test_the_text_needs_no_other_file():
    text = nvrtc.read_source()
    assert "#include" not in text and "#pragma once" not in text
    assert text.count("struct Projection") == text.count("struct OnDetector") == 1
    assert text.index("struct Projection") < text.index("struct OnDetector") < text.index("operation##_forward")


def test_launches_know_the_sizes_of_the_kernels():
    """What both files say of bins, tiles, teams and squares."""
    text = nvrtc.read_source()

    def constant(name: str) -> int:
        return int(re.search(rf"\b{name} = (\d+)[,;]", text)[1])

    assert 2 ** constant("BIN_BITS") == 2**sizes.BIN_BITS == 8
    assert constant("LANES") == sizes.LANES
    assert constant("FORWARD_WARPS") == sizes.FORWARD_WARPS
    assert constant("SUM_WARPS") == sizes.SUM_WARPS
    assert constant("SQUARE") == sizes.SQUARE
    small = [constant(f"{array}_SUM_THREADS") for array in ("DETECTOR", "GRID")]
    assert small == [launches.OPERATIONS[axes].sum_threads for axes in (2, 3)]
    assert 2 ** (constant("BIN_BITS") + constant("LEVELS") - 1) == launches.LONGEST


def test_pythons_constants_are_those_of_the_headers():
    """The module is what CUDAKernels/generate_constants.py writes; where they differ, run it."""
    generator = runpy.run_path(str(CHECKOUT / "generate_constants.py"))
    text = generator["MODULE"].read_text(encoding="utf-8")
    assert text == generator["module_text"]()
    assert text.count("\n\n# ") == len(generator["HEADERS"])  # each has some
    assert (sizes.RADIUS, sizes.LARGEST_DENSITY, sizes.UNSOUND_INPUT, sizes.GRID_MOMENTS) == (4.0, 1e30, 1, 10)
    assert math.exp(-0.5 * sizes.RADIUS**2) == sizes.FLOOR


class TestCache:
    """Machine code is compiled once, kept in the user's cache folder, and never trusted when it is damaged."""

    @pytest.fixture(autouse=True)
    def compiler(self, monkeypatch, tmp_path):
        self.compiled = []

        def compile_source(source: str, architecture: str) -> bytes:
            self.compiled.append(architecture)
            return f"{architecture} {len(source)}".encode() * 100

        monkeypatch.setattr(nvrtc, "compile_source", compile_source)
        monkeypatch.setattr(nvrtc.sys, "platform", "linux")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        self.folder = tmp_path / "cache" / "CTSuperResolution"

    def files(self) -> list[Path]:
        return sorted(self.folder.iterdir())

    def test_compiles_once_for_each_architecture(self):
        first = [nvrtc.machine_code(a) for a in ("sm_75", "sm_90")]
        assert [nvrtc.machine_code(a) for a in ("sm_75", "sm_90")] == first
        assert self.compiled == ["sm_75", "sm_90"]
        assert len(self.files()) == 2

    @pytest.mark.parametrize("damage", [b"", b"short", None], ids=["empty", "other", "cut"])
    def test_a_damaged_file_is_written_anew(self, damage):
        code = nvrtc.machine_code("sm_90")
        (file,) = self.files()
        whole = file.read_bytes()
        file.write_bytes(whole[:-1] if damage is None else damage)
        assert nvrtc.machine_code("sm_90") == code
        assert self.files() == [file] and file.read_bytes() == whole
        assert len(self.compiled) == 2

    def test_other_text_and_other_versions_are_other_code(self, monkeypatch):
        nvrtc.machine_code("sm_90")
        with monkeypatch.context() as patch:
            patch.setattr(nvrtc, "read_source", lambda: "other text")
            nvrtc.machine_code("sm_90")
        with monkeypatch.context() as patch:
            patch.setattr(nvrtc, "_version", lambda package: "99")
            nvrtc.machine_code("sm_90")
        assert len(self.compiled) == len(self.files()) == 3

    def test_a_folder_that_cannot_be_written_stops_nothing(self):
        self.folder.parent.mkdir()
        self.folder.write_text("a file where the folder would be")
        assert nvrtc.machine_code("sm_90") == nvrtc.machine_code("sm_90")
        assert len(self.compiled) == 2

    def test_what_the_driver_refuses_is_compiled_anew(self):
        nvrtc.machine_code("sm_90")
        nvrtc.machine_code("sm_90", anew=True)
        assert len(self.compiled) == 2

    def test_windows_has_another_folder(self, monkeypatch, tmp_path):
        monkeypatch.setattr(nvrtc.sys, "platform", "win32")
        monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
        assert nvrtc.cache_folder() == tmp_path / "local" / "CTSuperResolution"


class TestWithoutKernels:
    """What a user reads whose GPU has no kernels; plain torch goes on."""

    def test_cuda_core_is_missing(self, monkeypatch):
        def missing(name: str):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

        monkeypatch.setattr(importlib, "import_module", missing)
        monkeypatch.setattr(torch.version, "cuda", "12.8")
        with pytest.raises(nvrtc.CompileError) as error:
            nvrtc.import_cuda_core()
        assert str(error.value) == 'cuda-core is not installed; pip install "ctsuperresolution[cuda12]"'

    def test_the_compiler_is_missing(self, monkeypatch):
        class DynamicLibNotFoundError(RuntimeError):
            """As that of cuda.pathfinder."""

        class Core:
            @staticmethod
            def ProgramOptions(**_):
                raise DynamicLibNotFoundError('Failure finding "libnvrtc.so.13"')

        monkeypatch.setattr(nvrtc, "import_cuda_core", lambda: Core)
        monkeypatch.setattr(torch.version, "cuda", "13.0")
        with pytest.raises(nvrtc.CompileError) as error:
            nvrtc.compile_source("", "sm_90")
        assert str(error.value) == 'the library NVRTC is missing; pip install "ctsuperresolution[cuda13]"'

    def test_the_compiler_fails(self, monkeypatch):
        class Core:
            ProgramOptions = dict

            @staticmethod
            def Program(*_):
                raise RuntimeError("kernels.cu(1):\n  error: a very long tale " + "and so on " * 100)

        monkeypatch.setattr(nvrtc, "import_cuda_core", lambda: Core)
        with pytest.raises(nvrtc.CompileError, match="NVRTC did not compile the kernels for sm_90") as error:
            nvrtc.compile_source("", "sm_90")
        assert len(str(error.value)) < 400 and "\n" not in str(error.value)

    def test_torch_renders(self, monkeypatch):
        def fail(device: torch.device):
            raise cuda.CompileError("cuda-core is not installed; pip install it")

        monkeypatch.setattr(cuda, "load_kernels", fail)
        backend = choice._cuda(torch.device("cuda", 0))
        assert (backend.name, backend.kernels) == ("torch", reference)
        assert backend.why.endswith("many times slower: cuda-core is not installed; pip install it.")
