"""The public names of the package, which are loaded when they are used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import CTSuperResolutionLib

ROOT = Path(__file__).resolve().parents[2]

IMPORT = """
import sys
import CTSuperResolutionLib
print(*sorted(name for name in sys.modules if name.startswith("CTSuperResolutionLib")))
from CTSuperResolutionLib import Cancelled, Job, JobError, Method, Progress
print(*sorted({name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)))
"""


def test_importing_the_package_loads_nothing_and_jobs_the_standard_library_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}){IMPORT}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    package, loaded = done.stdout.splitlines()
    assert package == "CTSuperResolutionLib"
    assert set(loaded.split()) <= {"CTSuperResolutionLib", "__main__"}


def test_every_public_name_is_there() -> None:
    for name in CTSuperResolutionLib.__all__:
        assert getattr(CTSuperResolutionLib, name).__name__ == name
    assert set(CTSuperResolutionLib.__all__) <= set(dir(CTSuperResolutionLib))


def test_type_checkers_see_the_same_names_from_the_same_modules() -> None:
    tree = ast.parse((ROOT / "CTSuperResolutionLib" / "__init__.py").read_text(encoding="utf-8"))
    imported = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("CTSuperResolutionLib.")
        for alias in node.names
    }
    lazy = {name: f"CTSuperResolutionLib.{module}" for name, module in CTSuperResolutionLib._MODULES.items()}
    assert imported == lazy and set(lazy) == set(CTSuperResolutionLib.__all__)


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'SuperResolve'"):
        _ = CTSuperResolutionLib.SuperResolve
