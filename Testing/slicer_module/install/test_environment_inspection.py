"""Inspection of a Python: it has everything, nothing, half of it, or what does not go with the computer."""

from __future__ import annotations

import shutil
import sys
import types
from pathlib import Path

import pytest
import qt
from CTSuperResolutionPanel.install import environment_inspection, interpreters, probe
from CTSuperResolutionPanel.install.environment_assessment import assess
from CTSuperResolutionPanel.install.environment_inspection import EnvironmentInspection
from CTSuperResolutionPanel.install.requirements import (
    KERNELS,
    MODULES,
    PACKAGES,
    answer_of,
    kernels_lacking,
    name_of,
    question,
)
from CTSuperResolutionPanel.process.process import Ended

ROOT = Path(__file__).resolve().parents[3]


def test_the_panel_asks_for_what_the_library_says_it_depends_on():
    text = ROOT / "pyproject.toml"
    if not text.is_file():
        pytest.skip("not a checkout: pyproject.toml is not installed")
    tomllib = pytest.importorskip("tomllib", reason="this Python cannot read TOML")
    project = tomllib.loads(text.read_text())["project"]
    assert set(PACKAGES) == set(project["dependencies"])
    for cuda, packages in KERNELS.items():
        assert set(packages) == set(project["optional-dependencies"][f"cuda{cuda}"])


def test_nothing_there(environment, make_slicers, inspect):
    found = inspect(make_slicers(environment))
    assert not found.ready and found.installable and not found.broken
    assert found.missing == PACKAGES
    assert "Slicer's Python lacks" in found.problem and "diffusers" in found.problem and "torch" in found.problem
    assert 0.1 < found.size_gb < 1 < found.disk_gb and not found.cuda
    assert Path(found.answer["site"]) == environment.site and found.answer["free"] > 0


def test_nothing_there_and_an_nvidia_gpu_needs_the_larger_torch(environment, make_slicers, inspect, gpu):
    found = inspect(make_slicers(environment))
    assert found.installable and found.cuda and found.size_gb >= 2.5


def test_everything_there(full_environment, make_slicers, inspect):
    found = inspect(make_slicers(full_environment))
    assert found.ready and not found.problem and not found.missing and not found.installable


def test_looking_imports_nothing_here(full_environment, make_slicers, inspect):
    before = set(sys.modules)
    inspect(make_slicers(full_environment))
    assert not {"torch", "diffusers", "gsplat"} & (set(sys.modules) - before)


def record(environment, name: str) -> Path:
    return next(environment.site.glob(f"{name}-*.dist-info"))


def only_the_record(environment):
    shutil.rmtree(environment.site / "torch")


def only_the_files(environment):
    shutil.rmtree(record(environment, "torch"))


def an_empty_record(environment):
    for file in record(environment, "torch").iterdir():
        file.unlink()


def copied_and_not_finished(environment):
    (record(environment, "torch") / "RECORD").unlink()


def some_files_gone(environment):
    (environment.site / "torch" / "part.py").unlink()


def a_folder_without_code(environment):
    (environment.site / "torch" / "__init__.py").unlink()


def does_not_load(environment):
    (environment.site / "torch" / "__init__.py").write_text("raise OSError('libtorch_cpu.so: cannot open')")


def ends_python(environment):
    (environment.site / "torch" / "__init__.py").write_text("import os; os.abort()")


HALVES = [
    only_the_record,
    only_the_files,
    an_empty_record,
    copied_and_not_finished,
    some_files_gone,
    a_folder_without_code,
    does_not_load,
    ends_python,
]


@pytest.mark.parametrize("damage", HALVES, ids=lambda damage: damage.__name__)
def test_a_half_finished_torch_is_recognised_and_can_be_repaired(damage, full_environment, make_slicers, inspect):
    damage(full_environment)
    found = inspect(make_slicers(full_environment))
    assert not found.ready and found.installable
    assert found.broken == ("torch",) and found.missing == ("torch>=2.4",)
    assert "half there: torch (" in found.problem
    if damage is does_not_load:
        assert "libtorch_cpu.so: cannot open" in found.problem


def test_a_package_that_is_too_old_is_asked_for_and_the_others_are_left(
    full_environment, make_slicers, inspect, wheel, tmp_path
):
    shutil.rmtree(record(full_environment, "diffusers"))
    full_environment.put(wheel(tmp_path, "diffusers", "0.31.9"))
    found = inspect(make_slicers(full_environment))
    assert found.missing == ("diffusers>=0.32",) and not found.broken and found.size_gb < 0.3


@pytest.mark.parametrize("version", ["0.32", "0.32.0.dev0", "0.100.1", "1.0rc1"])
def test_versions_are_compared_by_number(full_environment, make_slicers, inspect, wheel, tmp_path, version):
    shutil.rmtree(record(full_environment, "diffusers"))
    full_environment.put(wheel(tmp_path, "diffusers", version))
    assert inspect(make_slicers(full_environment)).ready


def test_what_slicer_built_itself_without_a_record_counts_as_there(full_environment, make_slicers, inspect):
    shutil.rmtree(record(full_environment, "SimpleITK"))
    assert inspect(make_slicers(full_environment)).ready


def test_what_a_linux_distribution_installed_needs_no_list_of_files(full_environment, make_slicers, inspect):
    (record(full_environment, "scipy") / "RECORD").unlink()
    (record(full_environment, "scipy") / "INSTALLER").write_text("debian\n")
    assert inspect(make_slicers(full_environment)).ready


def test_packages_that_do_not_go_together_are_installed_anew(full_environment, make_slicers, inspect, library):
    (library / "pipeline.py").write_text("import huggingface_hub_that_diffusers_needs")
    found = inspect(make_slicers(full_environment))
    assert not found.ready and found.installable
    assert "huggingface_hub_that_diffusers_needs" in found.problem and "torch>=2.4" not in found.missing


def test_torch_for_the_cpu_beside_a_gpu_can_be_used_and_is_said(full_environment, make_slicers, inspect, gpu):
    found = inspect(make_slicers(full_environment))
    assert found.ready and found.installable and found.replaces_torch
    assert gpu in found.problem and "CPU only" in found.problem and found.size_gb >= 2.5


@pytest.mark.parametrize("usable", [True, False])
def test_torch_for_cuda_beside_a_gpu(full_environment, make_slicers, inspect, gpu, torch_code, usable, kernel_wheels):
    full_environment.put(*kernel_wheels(13))
    (full_environment.site / "torch" / "__init__.py").write_text(torch_code("13.0", usable))
    found = inspect(make_slicers(full_environment))
    assert found.ready and not found.installable
    assert bool(found.problem) is not usable
    if not usable:
        assert "driver" in found.fix and gpu in found.problem


NO_KERNELS = "CUDA error: no kernel image is available for execution on the device\nCompile with TORCH_USE_CUDA_DSA"


def test_torch_that_was_not_built_for_the_gpu_is_replaced(full_environment, make_slicers, inspect, gpu, torch_code):
    """It sees the card, and says so: only work shows that it has nothing that could run there."""
    (full_environment.site / "torch" / "__init__.py").write_text(torch_code("12.6", True, NO_KERNELS))
    found = inspect(make_slicers(full_environment))
    assert found.ready and found.installable and found.replaces_torch and found.unfit_torch
    assert found.missing == ("torch>=2.4",) and found.size_gb >= 2.5
    assert f"torch for CUDA 12.6 has no kernels for the {gpu}" in found.problem
    assert "PyTorch extension" in found.problem and "device CPU" in found.problem and found.problem.count(".") == 2


def test_another_python_whose_torch_was_not_built_for_the_gpu_is_told_what_to_do(
    full_environment, second_environment, make_slicers, inspect, gpu, torch_code
):
    make_slicers(second_environment)
    (full_environment.site / "torch" / "__init__.py").write_text(torch_code("12.6", True, NO_KERNELS))
    found = inspect(full_environment.python)
    assert found.unfit_torch and not found.installable and "newer CUDA" in found.fix


def test_a_gpu_that_is_only_busy_is_no_reason_for_another_torch(
    full_environment, make_slicers, inspect, gpu, torch_code, kernel_wheels
):
    full_environment.put(*kernel_wheels(13))
    (full_environment.site / "torch" / "__init__.py").write_text(torch_code("13.0", True, "CUDA error: out of memory"))
    found = inspect(make_slicers(full_environment))
    assert found.ready and not found.unfit_torch and not found.problem


@pytest.mark.parametrize("state", ["missing", "old", "broken"])
def test_a_mac_with_an_intel_processor_is_told_before_anything_is_downloaded(tmp_path, state):
    torch = {"torch": {"version": None, "state": state, "why": "half"}}
    mac = {"platform": "macosx-10.13-universal2", "machine": "x86_64"}
    found = assess(tmp_path, answered(**mac, packages=answered()["packages"] | torch), own=True)
    assert not found.ready and not found.installable and found.size_gb == 0
    assert "Intel" in found.problem and "torch>=2.4" in found.problem and "Apple silicon" in found.fix
    silicon = assess(tmp_path, answered(**mac | {"machine": "arm64"}), own=True)
    assert silicon.installable and "Intel" not in silicon.problem


def test_torch_that_a_mac_with_an_intel_processor_has_all_the_same_is_used(
    full_environment, make_slicers, inspect, tmp_path
):
    """As of a distribution that still builds it."""
    found = inspect(make_slicers(full_environment))
    mac = {"platform": "macosx-10.13-x86_64", "machine": "x86_64"}
    assert assess(tmp_path, {**found.answer, **mac}, own=False).ready


def test_the_processor_is_asked_for(environment, make_slicers, inspect):
    import platform

    assert inspect(make_slicers(environment)).answer["machine"] == platform.machine()


@pytest.mark.parametrize("cuda", ["12.8", "13.0"])
def test_without_what_compiles_the_kernels_a_job_runs_and_could_be_better(
    full_environment, make_slicers, inspect, gpu, torch_code, kernel_wheels, cuda
):
    """What there is for the other CUDA does not help."""
    major = int(cuda[:2])
    full_environment.put(*kernel_wheels(25 - major)[1:])
    (full_environment.site / "torch" / "__init__.py").write_text(torch_code(cuda, True))
    found = inspect(make_slicers(full_environment))
    assert found.ready and found.installable and not found.replaces_torch and not found.needs_torch
    assert found.missing == KERNELS[major] and found.size_gb < 0.3
    assert gpu in found.problem and "cuda-core" in found.problem


def test_another_python_without_what_compiles_the_kernels_is_told_the_command(
    full_environment, second_environment, make_slicers, inspect, gpu, torch_code
):
    make_slicers(second_environment)
    (full_environment.site / "torch" / "__init__.py").write_text(torch_code("13.0", True))
    found = inspect(full_environment.python)
    assert found.ready and not found.installable and 'pip install "cuda-core>=0.5"' in found.fix


def test_kernels_are_no_matter_without_a_gpu_or_on_a_mac(
    full_environment, make_slicers, inspect, torch_code, monkeypatch, tmp_path
):
    (full_environment.site / "torch" / "__init__.py").write_text(torch_code("13.0", True))
    found = inspect(make_slicers(full_environment))
    assert found.ready and not found.missing and not found.problem
    monkeypatch.setattr(sys, "platform", "darwin")
    found = assess(tmp_path, {**found.answer, "gpus": ["NVIDIA of long ago"]}, own=True)
    assert found.ready and not found.missing


@pytest.mark.parametrize(
    ("cuda", "versions", "lacking"),
    [
        ("12.8", {"cuda-core": "0.5.1", "cuda-bindings": "12.9.4", "nvidia-cuda-nvrtc-cu12": "12.8.93"}, ()),
        ("13.0", {"cuda-core": "1.2", "cuda-bindings": "13.0.1", "nvidia-cuda-nvrtc": "13.0.88"}, ()),
        ("13.0", {"cuda-core": "0.4.9", "cuda-bindings": "13.0", "nvidia-cuda-nvrtc": "13.0.88"}, KERNELS[13][:1]),
        ("13.0", {"cuda-core": "0.10", "cuda-bindings": "130.1", "nvidia-cuda-nvrtc": None}, KERNELS[13][1:]),
        ("11.8", {}, ()),
    ],
    ids=["12", "13", "old", "others", "a CUDA without kernels"],
)
def test_kernels_go_by_the_cuda_of_torch(cuda, versions, lacking):
    assert kernels_lacking(cuda, versions) == lacking


def test_a_loaded_torch_is_not_replaced_under_slicers_feet(full_environment, make_slicers, inspect, gpu, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", types.ModuleType("torch"))
    found = inspect(make_slicers(full_environment))
    assert found.ready and not found.installable and "restart Slicer" in found.fix


def test_another_python_is_never_installed_in(environment, make_slicers, inspect, full_environment):
    make_slicers(full_environment)
    other = environment.folder.parent / "other" / "bin" / "python"
    other.parent.mkdir(parents=True)
    other.write_text(f'#!/bin/sh\n"{environment.python}" -S "$@"\n')  # -S: it does not see its packages
    other.chmod(0o755)
    found = inspect(other)
    assert not found.ready and not found.installable
    assert 'pip install "diffusers>=0.32"' in found.fix and str(other) in found.problem


def saying(program, tmp_path, text: str) -> Path:
    return program(tmp_path / "python", text)


def test_a_python_that_is_too_old(program, tmp_path, inspect):
    answer = {"python": [3, 7, 16], "platform": "linux-x86_64", "site": "/", "writable": True, "free": 1, "gpus": []}
    found = inspect(saying(program, tmp_path, f"import json; print(json.dumps({{{probe.MARK!r}: {answer}}}))"))
    assert not found.ready and "3.7.16" in found.problem and "3.10 or newer" in found.problem


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "code 0"), ("raise SystemExit(3)", "code 3"), ('print(\'{"ctsr-probe": {"pyth\')', "code 0")],
    ids=["silent", "failing", "torn off"],
)
def test_what_is_no_python(program, tmp_path, inspect, text, why):
    found = inspect(saying(program, tmp_path, text))
    assert not found.ready and not found.installable and why in found.problem


def test_what_is_no_program(tmp_path, inspect):
    found = inspect(tmp_path / "nothing-here")
    assert not found.ready and "could not be started" in found.problem


class StartsLikeWindows:
    """A process whose failure is told within start(), as QProcess does on Windows."""

    def start(self, command, *, on_output, on_error_output, on_end):
        on_end(Ended(normal=False, code=-1, problem="no such file"))


def test_what_is_no_program_on_windows_is_told_once_the_inspection_has_begun(tmp_path, wait_for):
    statuses = []
    asked = EnvironmentInspection(tmp_path / "python.exe", statuses.append, make_process=StartsLikeWindows)
    assert not statuses
    wait_for(lambda: statuses)
    asked.stop()
    assert "could not be started (no such file)" in statuses[0].problem


def test_what_is_no_program_on_windows_and_the_inspection_is_stopped(tmp_path, wait_for):
    statuses, later = [], []
    EnvironmentInspection(tmp_path / "python.exe", statuses.append, make_process=StartsLikeWindows).stop()
    qt.QTimer.singleShot(20, lambda: later.append(True))
    wait_for(lambda: later)
    assert not statuses


def answered(**changes) -> dict:
    there = {name_of(each): {"version": "9", "state": "there", "why": ""} for each in PACKAGES}
    missing = {"torch": {"version": None, "state": "missing", "why": ""}}
    answer = {"python": [3, 12, 10], "platform": "linux-x86_64", "site": "/opt/Slicer/site-packages", "writable": True}
    answer |= {"free": 5e9, "gpus": [], "packages": there | missing, "pinned": {}, "pip": "25.1"}
    return answer | changes


@pytest.mark.parametrize(
    ("changes", "fix"),
    [
        ({"writable": False}, "You may not write to /opt/Slicer"),
        ({"pip": None}, "no pip"),
        ({"free": 1e9}, "1.0 GB are free"),
        ({"gpus": ["NVIDIA A"], "free": 7e9}, "8.0 GB are needed"),
    ],
    ids=["locked down", "no pip", "disk full", "disk too full for CUDA"],
)
def test_where_nothing_can_be_installed_the_reason_is_given(changes, fix, tmp_path):
    found = assess(tmp_path, answered(**changes), own=True)
    assert not found.ready and not found.installable and fix in found.fix
    assert assess(tmp_path, answered(), own=True).installable


def test_what_came_with_slicer_is_not_repaired_by_pip(tmp_path):
    packages = answered()["packages"] | {"numpy": {"version": "2", "state": "broken", "why": "3 of its files gone"}}
    found = assess(tmp_path, answered(packages=packages), own=True)
    assert not found.installable and "install Slicer again" in found.fix


def test_what_packages_print_as_they_are_imported_does_no_harm():
    said = f'warning: {{"{probe.MARK}": 1}}\n{{"{probe.MARK}": {{"python": [3, 12, 1]}}}}\n{{"event": "x"}}\n'
    assert answer_of(said) == {"python": [3, 12, 1]}


def test_every_package_is_asked_for_by_what_is_imported():
    import json

    asked = json.loads(question())["requires"]
    assert len(asked) == len(PACKAGES) and asked["torch"] == ["torch", "2.4"]
    assert all(asked[name][0] == module for name, module in MODULES.items())


@pytest.mark.slow
def test_the_real_library_with_the_real_packages_is_ready(monkeypatch, inspect, application):
    """The inspection finds in this Python what jobs need, and so asks for no more than they do."""
    from CTSuperResolutionPanel.process.process import environment_for

    monkeypatch.setattr(environment_inspection, "environment_for", environment_for)
    found = inspect(interpreters.slicers_python())
    if application.is_real and found.missing:
        pytest.skip("this Slicer has not installed what jobs need")
    assert found.ready, f"{found.problem} {found.fix}"
