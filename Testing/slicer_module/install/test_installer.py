"""An installation as it runs: with pip from a folder, offline, cancelled, repaired, and what it leaves alone."""

from __future__ import annotations

import json
import os
import sys
import time
import types
from dataclasses import replace
from pathlib import Path

import pytest
import qt
from CTSuperResolutionPanel.install import extension, plan
from CTSuperResolutionPanel.install.environment_status import EnvironmentStatus
from CTSuperResolutionPanel.install.installer import Installer
from CTSuperResolutionPanel.install.pip_errors import explain_failure
from CTSuperResolutionPanel.install.plan import constraints_of, download_command, steps_online
from CTSuperResolutionPanel.install.requirements import PACKAGES, TORCH


class Watched:
    """An installation and all that it tells."""

    def __init__(self, found: EnvironmentStatus, **arguments) -> None:
        self.lines, self.progress, self.outcomes = [], [], []
        self.installer = Installer(
            found,
            on_line=self.lines.append,
            on_progress=self.progress.append,
            on_end=self.outcomes.append,
            **arguments,
        )
        self.installer.start()

    @property
    def log(self) -> str:
        return "\n".join(self.lines)


@pytest.fixture
def install(wait_for):
    def run(found: EnvironmentStatus, **arguments) -> Watched:
        watched = Watched(found, **arguments)
        wait_for(lambda: watched.outcomes)
        return watched

    return run


def test_everything_from_a_folder_without_internet(environment, make_slicers, inspect, install, wheels):
    found = inspect(make_slicers(environment))
    done = install(found, wheels=wheels)
    assert done.outcomes[0].ok, done.log
    assert inspect(found.python).ready
    assert "Successfully installed" in done.log


def test_the_log_is_live_and_the_window_alive(environment, make_slicers, inspect, wheels, wait_for):
    found = inspect(make_slicers(environment))
    ticks = []
    timer = qt.QTimer()
    timer.setInterval(5)
    timer.connect("timeout()", lambda: ticks.append(time.monotonic()))
    timer.start()
    watched = Watched(found, wheels=wheels)
    wait_for(lambda: any("Processing" in line for line in watched.lines))
    assert not watched.outcomes
    wait_for(lambda: watched.outcomes)
    timer.stop()
    assert len(ticks) > 20


def test_slicers_own_packages_stay_as_they_are(environment, make_slicers, inspect, install, wheels, wheel, tmp_path):
    """A folder with a newer numpy than Slicer's, and a package that asks for it."""
    environment.put(wheel(tmp_path, "numpy", "1.5"), wheel(tmp_path, "SimpleITK", "2.5"))
    found = inspect(make_slicers(environment))
    assert install(found, wheels=wheels).outcomes[0].ok
    assert environment.has("numpy") == "1.5" and environment.has("SimpleITK") == "2.5"


@pytest.mark.parametrize("wants", ["numpy>=8", "itk", "vtk"])
def test_a_package_that_would_replace_slicers_own_is_refused(
    environment, make_slicers, inspect, install, wheels, wheel, tmp_path, wants
):
    environment.put(wheel(tmp_path, "numpy", "1.5"))
    folder = tmp_path / "wheels"
    folder.mkdir()
    for file in wheels.iterdir():
        if not file.name.startswith("gsplat"):
            (folder / file.name).write_bytes(file.read_bytes())
    for name in ("itk", "vtk"):
        wheel(folder, name)
    wheel(folder, "gsplat", requires=(wants,))
    done = install(inspect(make_slicers(environment)), wheels=folder)
    assert not done.outcomes[0].ok and "choose another Python" in done.outcomes[0].reason, done.log
    assert environment.has("numpy") == "1.5" and not environment.has("itk") and not environment.has("vtk")
    assert not environment.has("diffusers")


def test_a_half_finished_installation_is_repaired(full_environment, make_slicers, inspect, install, wheels):
    site = full_environment.site
    (site / "torch" / "part.py").unlink()
    next(site.glob("torch-*.dist-info/RECORD")).unlink()
    (site / "~orch").mkdir()
    (site / "torchvision").mkdir()
    (site / "diffusers" / "__init__.py").unlink()
    found = inspect(make_slicers(full_environment))
    assert set(found.broken) == {"torch", "diffusers"}
    done = install(found, wheels=wheels)
    assert done.outcomes[0].ok, done.log
    assert inspect(found.python).ready
    assert (site / "torch" / "part.py").is_file() and not (site / "~orch").exists()
    assert (site / "torchvision").is_dir()  # it is not torch


def test_a_folder_that_lacks_a_wheel(environment, make_slicers, inspect, install, wheels, tmp_path):
    for file in wheels.iterdir():
        if not file.name.startswith("safetensors"):
            (tmp_path / file.name).write_bytes(file.read_bytes())
    done = install(inspect(make_slicers(environment)), wheels=tmp_path)
    assert not done.outcomes[0].ok
    assert "has no wheel of safetensors for Python 3." in done.outcomes[0].reason


def test_a_python_that_went_away(environment, make_slicers, inspect, install, wheels):
    found = inspect(make_slicers(environment))
    done = install(replace(found, python=found.python.parent / "gone"), wheels=wheels)
    assert not done.outcomes[0].ok and "could not be started" in done.outcomes[0].reason


SLOW_PIP = """
import pathlib, subprocess, sys, time
site, note = pathlib.Path({site!r}), pathlib.Path({note!r})
(site / "torch").mkdir()
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
note.write_text(str(child.pid))
print("Installing collected packages: torch", flush=True)
time.sleep(600)
"""


@pytest.fixture
def slow_install(environment, make_slicers, inspect, program, programs, tmp_path):
    """A pip that is half way through torch, with a process of its own, and will not end for long; and that process."""
    found = inspect(make_slicers(environment))
    note = tmp_path / "child"
    program(programs / "PythonSlicer-pip", SLOW_PIP.format(site=str(environment.site), note=str(note)))
    launcher = programs / "PythonSlicer"
    launcher.write_text(
        f'#!/bin/sh\nif [ "$1" = -m ]; then "{programs}/PythonSlicer-pip"; else "{environment.python}" "$@"; fi\n'
    )
    return found, note


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # Nobody may be there to take note of its end.
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


def test_cancel_in_the_middle_leaves_no_process_and_what_is_half_there_is_seen(slow_install, inspect, wait_for, wheels):
    found, note = slow_install
    watched = Watched(found, wheels=wheels)
    wait_for(lambda: any("Installing collected" in line for line in watched.lines))
    child = int(note.read_text())
    assert is_running(child)
    watched.installer.cancel()
    wait_for(lambda: watched.outcomes, 10)
    assert not watched.outcomes[0].ok and "cancelled" in watched.outcomes[0].reason
    wait_for(lambda: not is_running(child), 10)
    again = inspect(found.python)
    assert not again.ready and again.installable


def test_slicer_quits_in_the_middle(slow_install, wait_for, wheels):
    found, note = slow_install
    watched = Watched(found, wheels=wheels)
    wait_for(lambda: any("Installing collected" in line for line in watched.lines))
    watched.installer.abandon()
    wait_for(lambda: not is_running(int(note.read_text())), 10)
    assert not watched.outcomes


ECHO = """
import json, os, pathlib, sys
constraints = pathlib.Path(sys.argv[sys.argv.index("-c") + 1]).read_text()
with open({log!r}, "a") as file:
    print(json.dumps([sys.argv[1:], constraints, os.environ.get("PIP_PROGRESS_BAR")]), file=file)
print("Collecting something")
print("Progress 100000000 of 500000000")
print("Progress 500000000 of 500000000")
"""


@pytest.fixture
def commands(environment, make_slicers, inspect, program, programs, tmp_path):
    """What an installation runs, and runs of nothing."""
    found = inspect(make_slicers(environment))
    log = tmp_path / "commands"
    program(programs / "PythonSlicer", ECHO.format(log=str(log)))
    return found, lambda: [json.loads(line) for line in log.read_text().splitlines()]


@pytest.fixture
def pytorch_extension(monkeypatch):
    """Slicer's PyTorch extension, as far as this one uses it."""

    class PyTorchUtilsLogic:
        @staticmethod
        def _getPipInstallArguments(backend=None, torch=None, torchvision=None):
            assert backend is None and torchvision is None
            return ["install", f"torch{torch}", "torchvision"]

        def installTorch(self, *arguments, **keywords):
            raise AssertionError("this would import torch into Slicer")

    module = types.ModuleType("PyTorchUtils")
    module.PyTorchUtilsLogic = PyTorchUtilsLogic
    monkeypatch.setitem(sys.modules, "PyTorchUtils", module)


def test_online_torch_comes_as_the_pytorch_extension_has_it_and_the_rest_after(commands, install, pytorch_extension):
    found, ran = commands
    done = install(found, torch_arguments=extension.torch_arguments(">=2.4"))
    assert done.outcomes[0].ok
    finder, torch, rest = (line[0] for line in ran())
    assert finder[:3] == ["-m", "pip", "install"] and finder[-1].startswith("light-the-torch")
    assert torch[:3] == ["-m", "light_the_torch", "install"] and torch[-2:] == ["torch>=2.4", "torchvision"]
    assert rest[:3] == ["-m", "pip", "install"] and set(PACKAGES) - set(rest) == {"torch>=2.4"}
    for arguments in (finder, torch, rest):
        assert "--only-binary=:all:" in arguments and "--upgrade" not in arguments
    assert [p.step for p in done.progress if p.total == 0] == [0, 1, 2]
    assert {(p.done, p.total) for p in done.progress if p.total} == {(1e8, 5e8), (5e8, 5e8)}
    assert "Progress" not in done.log and "Collecting something" in done.log


FORK = "https://github.com/Slicer/light-the-torch/archive/refs/heads/main.zip"


@pytest.fixture
def extension_with_a_fork(pytorch_extension, monkeypatch):
    """The PyTorch extension since April 2026: it has a light-the-torch of Slicer's own."""

    def install_it():
        import slicer

        slicer.util.pip_install(FORK)

    logic = sys.modules["PyTorchUtils"].PyTorchUtilsLogic
    monkeypatch.setattr(logic, "_installLightTheTorch", staticmethod(install_it), raising=False)


def test_the_extensions_own_light_the_torch_is_taken(commands, install, extension_with_a_fork, monkeypatch):
    import slicer

    before = slicer.util.pip_install
    assert extension.finder_arguments() == (FORK,)
    assert slicer.util.pip_install is before
    found, ran = commands
    arguments = {"torch_arguments": extension.torch_arguments(">=2.4"), "finder": extension.finder_arguments()}
    assert install(found, **arguments).outcomes[0].ok
    assert ran()[0][0][:3] == ["-m", "pip", "install"] and ran()[0][0][-1] == FORK


def test_a_slicer_with_packaging_is_asked_there(extension_with_a_fork, monkeypatch):
    import slicer

    packaging = types.SimpleNamespace(pip_install=None, isPipInstallInProgress=lambda: False)
    monkeypatch.setattr(slicer, "packaging", packaging, raising=False)
    logic = sys.modules["PyTorchUtils"].PyTorchUtilsLogic
    monkeypatch.setattr(
        logic, "_installLightTheTorch", staticmethod(lambda: packaging.pip_install(["--pre", FORK], requester="x"))
    )
    assert extension.finder_arguments() == ("--pre", FORK)
    assert packaging.pip_install is None


def test_an_extension_that_says_nothing_of_it_gets_the_one_from_pypi(pytorch_extension):
    assert extension.finder_arguments() == plan.FINDER == ("light-the-torch>=0.5",)


def test_a_light_the_torch_from_pypi_is_replaced_where_there_is_a_gpu(commands, tmp_path):
    """It finds no torch for a GPU of 2025."""
    found, _ran = commands
    there = replace(found, answer={**found.answer, "light_the_torch": "0.8.0"})
    assert all("pip" not in step.arguments or FORK not in step.arguments for step in online(there, tmp_path, FORK))
    first, *_others = online(replace(there, cuda=True), tmp_path, FORK)
    assert first.arguments[:3] == ("-m", "pip", "install") and first.arguments[-1] == FORK
    assert {"--force-reinstall", "--no-deps"} <= set(first.arguments)
    assert "light_the_torch" in online(replace(there, cuda=True), tmp_path, *plan.FINDER)[0].arguments


def online(found, folder, *finder):
    return steps_online(found, folder, ["install", TORCH, "torchvision"], finder)


def test_torch_that_was_not_built_for_the_gpu_is_replaced_by_another_build(
    full_environment, make_slicers, inspect, gpu, torch_code, tmp_path
):
    fault = "CUDA error: no kernel image is available for execution on the device"
    (full_environment.site / "torch" / "__init__.py").write_text(torch_code("12.6", True, fault))
    found = inspect(make_slicers(full_environment))
    swap = next(step for step in online(found, tmp_path, FORK) if "light_the_torch" in step.arguments)
    assert swap.title == "Replacing torch by one for this GPU" and "--force-reinstall" in swap.arguments


def test_slicers_own_installations_wait_meanwhile(commands, install, wheels, monkeypatch):
    import slicer

    packaging = types.SimpleNamespace(_pip_install_in_progress=False)
    monkeypatch.setattr(slicer, "packaging", packaging, raising=False)
    found, _ran = commands
    watched = Watched(found, wheels=wheels)
    assert packaging._pip_install_in_progress
    watched.installer.abandon()
    assert not packaging._pip_install_in_progress
    assert install(found, wheels=wheels).outcomes[0].ok
    assert not packaging._pip_install_in_progress


@pytest.mark.parametrize(("pip", "bar"), [("24.0", None), ("24.1", "raw"), ("26.1.1", "raw")])
def test_an_old_pip_is_not_asked_for_what_it_does_not_know(commands, install, wheels, pip, bar):
    found, ran = commands
    assert install(replace(found, answer={**found.answer, "pip": pip}), wheels=wheels).outcomes[0].ok
    assert ran()[0][2] == bar


def test_the_constraints_hold_what_slicer_ships_and_keep_itk_out(commands, install, wheels):
    found, ran = commands
    pinned = {"numpy": "2.4.6", "SimpleITK": "2.5.5", "vtk": None}
    found = replace(found, answer={**found.answer, "pinned": pinned})
    assert install(found, wheels=wheels).outcomes[0].ok
    assert constraints_of(found).splitlines() == ["numpy==2.4.6", "SimpleITK==2.5.5", "itk<0", "itk-core<0", "vtk<0"]
    assert "numpy==2.4.6" in ran()[0][1]


def test_torch_for_the_cpu_stays_until_torch_for_cuda_is_downloaded(
    full_environment, make_slicers, inspect, gpu, tmp_path
):
    """pip installs anew what it is told to, once it has all of it; that is not told for what torch needs."""
    found = inspect(make_slicers(full_environment))
    *_, swap, rest = (step.arguments for step in steps_online(found, tmp_path, ["install", TORCH, "torchvision"]))
    for arguments in (swap, rest):
        assert arguments[:3] == ("-m", "light_the_torch", "install") and arguments[-2:] == (TORCH, "torchvision")
    assert {"--force-reinstall", "--no-deps"} <= set(swap) and not {"--force-reinstall", "--no-deps"} & set(rest)
    assert not any("uninstall" in step.arguments for step in steps_online(found, tmp_path, ["install", TORCH]))


def test_torch_for_cuda_from_a_folder_that_has_none_leaves_the_one_for_the_cpu(
    full_environment, make_slicers, inspect, install, gpu, wheel, tmp_path, monkeypatch
):
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    found = inspect(make_slicers(full_environment))
    folder = tmp_path / "wheels"
    folder.mkdir()
    wheel(folder, "sympy")
    done = install(found, wheels=folder)
    assert not done.outcomes[0].ok and "no wheel of torch" in done.outcomes[0].reason, done.log
    assert full_environment.has("torch") == "9.0" and inspect(found.python).ready


def test_torch_for_cuda_from_a_folder_replaces_the_same_version_for_the_cpu(
    full_environment, make_slicers, inspect, install, gpu, wheel, torch_code, tmp_path, monkeypatch
):
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    full_environment.put(wheel(tmp_path, "torchvision"))
    found = inspect(make_slicers(full_environment))
    assert found.replaces_torch
    folder = tmp_path / "wheels"
    folder.mkdir()
    wheel(folder, "torch", code=torch_code("13.0", True), requires=("nvidia-cublas",))
    wheel(folder, "nvidia-cublas")
    done = install(found, wheels=folder)
    assert done.outcomes[0].ok, done.log
    assert full_environment.has("nvidia-cublas") and not full_environment.has("torchvision")
    assert not inspect(found.python).replaces_torch


def test_the_command_for_another_computer_names_all_that_is_missing(commands):
    command = download_command(commands[0])
    assert all(f'"{each}"' in command for each in PACKAGES) and command.startswith("PythonSlicer -m pip download")


@pytest.mark.parametrize(
    ("said", "offline", "sentence"),
    [
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            False,
            "disk is full",
        ),
        (
            "ERROR: Could not install packages due to an OSError: [WinError 5] Access is denied: 'torch_cpu.dll'",
            False,
            "restart Slicer",
        ),
        (
            "WARNING: Retrying after connection broken by 'NewConnectionError(...: [Errno -2] Name or service not known"
            "\nERROR: No matching distribution found for diffusers>=0.32",
            False,
            "could not be reached",
        ),
        ("ERROR: No matching distribution found for torch>=2.4", True, "no wheel of torch>=2.4 for Python 3.12"),
        (
            "ERROR: No matching distribution found for gsplat>=1.5 (from versions: none)",
            False,
            "no package gsplat>=1.5",
        ),
        ("ERROR: ResolutionImpossible: for help visit", False, "choose another Python"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES.", False, "THESE PACKAGES DO NOT MATCH THE HASHES"),
        ("", False, "code 2"),
    ],
    ids=["full", "in use", "no network", "no wheel", "no package", "conflict", "anything", "nothing"],
)
def test_why_it_failed_is_one_sentence(said, offline, sentence):
    reason = explain_failure(said.splitlines(), 2, offline=offline, python="Python 3.12, linux-x86_64")
    assert sentence in reason and reason.count("\n") == 0 and reason.endswith(".")
