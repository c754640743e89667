"""The extension as CMake builds and installs it, with Slicer's macros stood in for, used with the checkout gone."""

from __future__ import annotations

import json
import os
import shutil
import site
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SLICER = Path(__file__).resolve().parent / "slicer"
MODULES = "lib/Slicer-5.10/qt-scripted-modules"
PARTS = ("CMakeLists.txt", "README.md", "LICENSE", "CTSuperResolution", "CTSuperResolutionLib", "CUDAKernels")


def compiler() -> str | None:
    return os.environ.get("CXX") or next(filter(None, map(shutil.which, ("c++", "g++", "clang++", "cl"))), None)


def cmake(*arguments: object) -> str:
    done = subprocess.run(["cmake", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def checkout(at: Path) -> Path:
    """A copy of what the repository ships, without what builds and runs left in it."""
    ignored = shutil.ignore_patterns("__pycache__", "build*", ".*")
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, at / part, **({"ignore": ignored} if (ROOT / part).is_dir() else {}))
    for folder in ("Prior", "SliceFixer"):
        shutil.copytree(ROOT / "Resources" / folder, at / "Resources" / folder)
    return at


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """Where the extension was installed; the sources and the build are gone."""
    if shutil.which("cmake") is None:
        pytest.skip("CMake is not installed: only a build of the extension needs it")
    if compiler() is None:
        pytest.skip("there is no C++ compiler: only a build of the extension needs it")
    top = tmp_path_factory.mktemp("extension")
    source, build, prefix = top / "source", top / "build", top / "installed"
    source.mkdir()
    checkout(source)
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    cmake("-S", source, "-B", build, f"-DSlicer_DIR={SLICER}", "-DCMAKE_BUILD_TYPE=Release", *generator)
    cmake("--build", build, "--config", "Release")
    cmake("--install", build, "--config", "Release", "--prefix", prefix)
    shutil.rmtree(source)
    shutil.rmtree(build)
    return prefix


def run(folder: Path, *arguments: str) -> str:
    """Run Python where nothing but the installed tree and the packages is importable, editable installs included."""
    packages = os.pathsep.join([str(folder), *site.getsitepackages(), *sys.path[-1:]])
    environment = {**os.environ, "PYTHONPATH": packages}
    command = [sys.executable, "-S", *arguments]
    done = subprocess.run(command, env=environment, cwd=folder.anchor, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_file_of_the_checkout_that_is_needed_at_run_time_is_installed(installed):
    for room in ("CTSuperResolution", "CTSuperResolutionLib", "Resources/Prior", "Resources/SliceFixer"):
        beside = ROOT / room if room == "CTSuperResolution" else ROOT
        for file in (ROOT / room).rglob("*"):
            place = file.relative_to(beside)
            of_a_build = file.name == "CMakeLists.txt" or any(part[0] in "._" for part in place.parts[:-1])
            if file.is_file() and not of_a_build:
                assert (installed / MODULES / place).is_file(), f"{place} is not installed"


def test_the_installed_command_line_runs_and_finds_the_prior(installed):
    modules = installed / MODULES
    events = run(modules, "-m", "CTSuperResolutionLib", "info", "--events", "json").splitlines()
    found = json.loads(events[-1])
    assert found["event"] == "result"
    assert Path(found["machine"]["priors"]["shipped"]) == modules / "Resources" / "Prior"


def test_the_installed_kernels_are_found_and_load(installed):
    modules = installed / MODULES
    code = (
        "import torch\n"
        "from CTSuperResolutionLib.gaussians.backends.choice import choose_backend\n"
        "from CTSuperResolutionLib.kernels.cpu_library import find_library\n"
        "print(choose_backend(torch.device('cpu')).name); print(find_library())"
    )
    backend, path = run(modules, "-c", code).split()
    assert backend == "native"
    assert Path(path).parent == modules / "CTSuperResolutionLib" / "CUDAKernels"


def test_what_the_gpu_compiles_at_run_time_and_the_licence_are_installed(installed):
    library = installed / MODULES / "CTSuperResolutionLib"
    assert {"gaussian.h", "ssim.h", "kernels.cu"} <= {file.name for file in (library / "CUDAKernels").rglob("*")}
    assert "Apache License" in (library / "LICENSE").read_text()


def test_the_installed_panel_finds_the_library_beside_it(installed):
    modules = installed / MODULES
    code = (
        "from CTSuperResolutionPanel.library import add_to_path, library_folder; add_to_path()\n"
        "import CTSuperResolutionLib; print(library_folder()); print(CTSuperResolutionLib.__file__)"
    )
    assert run(modules, "-c", code).split() == [str(modules), str(modules / "CTSuperResolutionLib" / "__init__.py")]


def test_what_the_extensions_manager_shows_is_there(installed):
    lines = (installed / "share/Slicer-5.10/CTSuperResolution.s4ext").read_text().splitlines()
    shown = dict(line.split(" ", 1) for line in lines)
    assert shown["depends"] == "PyTorch"
    assert {"homepage", "contributors", "description", "iconurl", "screenshoturls"} < set(shown)
