"""What each side of the house may import: the job room and the package the standard library, the library no Slicer."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SLICER = {"qt", "ctk", "slicer", "vtk", "PythonQt"}
HEAVY = {"torch", "diffusers", "gsplat"}

LIST_MODULES = """
import importlib, pkgutil, sys
before = set(sys.modules)
import CTSuperResolutionLib.job as job
for module in pkgutil.iter_modules(job.__path__):
    importlib.import_module("CTSuperResolutionLib.job." + module.name)
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(loaded - set(sys.stdlib_module_names) - {"CTSuperResolutionLib"}))
print(*sorted(name for name in sys.modules if name.startswith("CTSuperResolutionLib")))
"""


def imported_names(path: Path) -> set[str]:
    """Top-level names of all that a file imports, at its top or inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def python_files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def test_job_room_imports_only_the_standard_library() -> None:
    done = subprocess.run([sys.executable, "-c", LIST_MODULES], cwd=ROOT, capture_output=True, text=True, check=True)
    foreign, ours = done.stdout.splitlines()
    assert foreign == ""
    below = ("CTSuperResolutionLib.job", "CTSuperResolutionLib.errors")
    assert all(name.startswith(below) for name in ours.split()[1:])
    assert len(ours.split()) > 5  # the modules were really imported


def test_command_line_loads_nothing_heavy_before_it_watches() -> None:
    code = "import sys, CTSuperResolutionLib.cli.main; print(*sorted({n.partition('.')[0] for n in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & (HEAVY | {"numpy", "scipy", "SimpleITK", "skimage", "matplotlib"})


@pytest.mark.parametrize("path", python_files("CTSuperResolutionLib"), ids=lambda p: str(p.relative_to(ROOT)))
def test_library_knows_nothing_of_slicer(path: Path) -> None:
    assert not imported_names(path) & SLICER


def test_slicer_side_never_imports_torch() -> None:
    for path in python_files("CTSuperResolution"):
        # What asks another Python for its packages runs there, never in Slicer's.
        asks_another_python = path.name == "probe.py"
        assert asks_another_python or not imported_names(path) & HEAVY, path


def test_the_scan_of_imports_sees_them() -> None:
    assert "torch" in imported_names(ROOT / "CTSuperResolutionLib" / "degradation" / "operator.py")
    assert "torch" in imported_names(ROOT / "CTSuperResolutionLib" / "machine.py")  # inside a function
