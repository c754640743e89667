"""Small environments to install in: real Pythons and pip, and packages that are made here and hold next to nothing."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import slicer
from CTSuperResolutionPanel.install import environment_inspection, installer, interpreters, readiness_cache
from CTSuperResolutionPanel.install.environment_status import EnvironmentStatus
from CTSuperResolutionPanel.install.requirements import KERNELS, MODULES, PACKAGES, name_of

TORCH = """
class version: cuda = {cuda!r}
class cuda:
    @staticmethod
    def is_available(): return {usable}
class Tensor:
    def __add__(self, other): return self
    def item(self): return 1.0
def zeros(size, device):
    if {fault!r}: raise RuntimeError({fault!r})
    return Tensor()
"""


def make_wheel(
    folder: Path, name: str, version: str = "9.0", *, code: str = "", requires: tuple[str, ...] = ()
) -> Path:
    """A wheel with one package, whose code is in its ``__init__.py`` and beside it a second file."""
    module = MODULES.get(name, name).replace("-", "_")
    record = f"{name.replace('-', '_')}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {each}\n" for each in requires)
    files = {
        f"{module}/__init__.py": code,
        f"{module}/part.py": "",
        f"{record}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{record}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{record}/RECORD"] = "".join(f"{file},,\n" for file in [*files, f"{record}/RECORD"])
    path = folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
    return path


@pytest.fixture(scope="session")
def wheel() -> Callable[..., Path]:
    """Makes a wheel in a folder."""
    return make_wheel


@pytest.fixture(scope="session")
def torch_code() -> Callable[..., str]:
    """The code of a torch, given the CUDA it was built for, whether it sees a GPU, and what goes wrong there."""
    return lambda cuda, usable, fault="": TORCH.format(cuda=cuda, usable=usable, fault=fault)


@pytest.fixture(scope="session")
def wheels(tmp_path_factory) -> Path:
    """A folder with a wheel of every package that jobs need."""
    folder = tmp_path_factory.mktemp("wheels")
    for requirement in PACKAGES:
        name = name_of(requirement)
        make_wheel(folder, name, code=TORCH.format(cuda=None, usable=False, fault="") if name == "torch" else "")
    return folder


@pytest.fixture(scope="session")
def kernel_wheels(tmp_path_factory) -> Callable[[int], list[Path]]:
    """kernel_wheels(13): what compiles the CUDA kernels for that CUDA."""

    def make(cuda: int) -> list[Path]:
        folder = tmp_path_factory.mktemp("kernels")
        return [make_wheel(folder, name_of(each), f"{cuda}.1") for each in KERNELS[cuda]]

    return make


@pytest.fixture(scope="session")
def bare_environment(tmp_path_factory) -> Path:
    """An environment with nothing but pip, and that from elsewhere, for copying it takes its time."""
    top = tmp_path_factory.mktemp("bare")
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(top / "environment")],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"this Python cannot make environments: {(made.stderr or made.stdout).strip()[-200:]}")
    pip = importlib.metadata.distribution("pip")
    for part in ("pip", f"pip-{pip.version}.dist-info"):
        shutil.copytree(pip.locate_file(part), top / "pip" / part)
    site = next((top / "environment").rglob("site-packages"))
    (site / "pip.pth").write_text(f"{top / 'pip'}\n")
    return top / "environment"


@pytest.fixture
def environment(bare_environment, tmp_path) -> Environment:
    """An environment with nothing but pip."""
    shutil.copytree(bare_environment, tmp_path / "environment", symlinks=True)
    return Environment(tmp_path / "environment")


class Environment:
    """A Python of its own, and what is installed in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        self.site = next(folder.rglob("site-packages"))

    def put(self, *paths: Path) -> None:
        """Install wheels as pip would, which takes longer."""
        for path in paths:
            with zipfile.ZipFile(path) as archive:
                archive.extractall(self.site)

    def has(self, name: str) -> str | None:
        """The version of a package, by its record."""
        found = list(self.site.glob(f"{name.replace('-', '_')}-*.dist-info"))
        return found[0].name.removesuffix(".dist-info").rpartition("-")[2] if found else None


@pytest.fixture
def second_environment(bare_environment, tmp_path) -> Environment:
    """Another one."""
    shutil.copytree(bare_environment, tmp_path / "second", symlinks=True)
    return Environment(tmp_path / "second")


@pytest.fixture
def full_environment(environment, wheels) -> Environment:
    environment.put(*wheels.glob("*.whl"))
    return environment


@pytest.fixture(autouse=True)
def no_memory_of_other_tests(monkeypatch):
    """Settings as a new user has them, before and after; and Slicer has no torch loaded, though other tests may."""
    monkeypatch.delitem(sys.modules, "torch", raising=False)

    def clear() -> None:
        for setting in (interpreters.SETTING, readiness_cache.SETTING):
            slicer.app.userSettings().remove(setting)

    clear()
    yield
    clear()


def make_program(path: Path, text: str) -> Path:
    """A program written in this Python."""
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o755)
    return path


@pytest.fixture(scope="session")
def program() -> Callable[[Path, str], Path]:
    """Makes a program of Python code."""
    return make_program


@pytest.fixture(autouse=True)
def programs(tmp_path, monkeypatch) -> Path:
    """Where programs are found first. The computer has no NVIDIA GPU, whatever it has."""
    if os.name == "nt":
        pytest.skip("programs made here need a POSIX system")
    folder = tmp_path / "programs"
    folder.mkdir()
    make_program(folder / "nvidia-smi", "raise SystemExit(9)")
    monkeypatch.setenv("PATH", os.pathsep.join([str(folder), os.environ["PATH"]]))
    return folder


@pytest.fixture
def gpu(programs) -> str:
    """An NVIDIA GPU, as far as its driver's tool can tell."""
    make_program(programs / "nvidia-smi", "print('NVIDIA Test 9000')")
    return "NVIDIA Test 9000"


@pytest.fixture
def make_slicers(programs) -> Callable[[Environment], Path]:
    """Makes an environment's Python Slicer's own: a launcher, which starts the real one and waits."""

    def make(environment: Environment) -> Path:
        launcher = programs / "PythonSlicer"
        launcher.write_text(f'#!/bin/sh\n"{environment.python}" "$@"\n')
        launcher.chmod(0o755)
        return launcher

    return make


@pytest.fixture(autouse=True)
def library(tmp_path, monkeypatch) -> Path:
    """A library that loads where torch is what is made here."""
    package = tmp_path / "library" / "CTSuperResolutionLib"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "pipeline.py").touch()

    def environment_for(python: Path) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(package.parent), "PIP_CONFIG_FILE": os.devnull}

    monkeypatch.setattr(environment_inspection, "environment_for", environment_for)
    monkeypatch.setattr(installer, "environment_for", environment_for)
    return package


@pytest.fixture
def wait_for(wait_until, unseen_errors) -> Callable[..., None]:
    """Lets the application work until something is so; installations take their time."""
    return lambda condition, seconds=60.0: wait_until(condition, seconds)


@pytest.fixture
def inspect(wait_for) -> Callable[[Path], EnvironmentStatus]:
    """inspect(python): its status."""

    def inspect(python: Path) -> EnvironmentStatus:
        statuses: list[EnvironmentStatus] = []
        asked = environment_inspection.EnvironmentInspection(python, statuses.append)
        wait_for(lambda: statuses)
        asked.stop()
        return statuses[0]

    return inspect
