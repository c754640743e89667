"""The order of the house, read from its sources: which room may import which, and how large functions may be."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIBRARY, PANEL, STUDY_PANEL = "CTSuperResolutionLib", "CTSuperResolutionPanel", "CTReaderStudyPanel"
SOURCES = {LIBRARY: ROOT / LIBRARY} | {name: ROOT / "CTSuperResolution" / name for name in (PANEL, STUDY_PANEL)}
DOCUMENT = ROOT / "Resources" / "Documentation" / "ARCHITECTURE.md"

# From the ground up, as ARCHITECTURE.md has them. A room is a package, or a module that stands beside the packages; it
# imports from rooms before it only. Those with a dot lie inside another room and have a place of their own.
ROOMS = {
    LIBRARY: (
        "errors",
        "job",
        "volume",
        "quantification",
        "degradation",
        "kernels",
        "projection",
        "gaussians",
        "machine",
        "diffusion.networks",
        "diffusion",
        "diffusion.training",
        "planning",
        "stages",
        "pipeline",
        "trust",
        "reconstruction",
        "output",
        "phantom",
        "engines",
        "cohort",
        "evaluation",
        "audit",
        "study",
        "bench",
        "cli",
        "__main__",
    ),
    PANEL: (
        "library",
        "scene",
        "process",
        "install",
        "sample_data",
        "compare",
        "panel_state",
        "sections",
        "panel",
        "self_test",
    ),
    STUDY_PANEL: (
        "html_table",
        "command_row",
        "reading",
        "analysing",
        "designing",
        "panel",
    ),
}
FACADE = ("__version__",)  # all that may be taken from the package itself: its other names stand for higher rooms

MOST_ARGUMENTS = 8
MOST_LINES_OF_SUPER_RESOLVE = 60


@cache
def modules(package: str) -> dict[str, ast.Module]:
    """The parsed modules of a package by their dotted name inside it; "" is its own ``__init__``."""
    found = {}
    for path in sorted(SOURCES[package].rglob("*.py")):
        parts = path.relative_to(SOURCES[package]).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imported_names(package: str, module: str) -> Iterator[tuple[str, int]]:
    """Every name of the package that a module imports, wherever in it, with its line; relative imports spelled out."""
    path = [package, *module.split(".")] if module else [package]
    is_package = module == "" or (SOURCES[package] / Path(*module.split("."))).is_dir()
    for node in ast.walk(modules(package)[module]):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = path[: len(path) + is_package - node.level] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from ((name.partition(".")[2], node.lineno) for name in names if name.partition(".")[0] == package)


def imported_modules(package: str, module: str) -> Iterator[tuple[str, int]]:
    """The modules that those names are, or are taken from; "" is the package itself."""
    for name, line in imported_names(package, module):
        while name not in modules(package):
            name = name.rpartition(".")[0]
        yield name, line


def room_of(package: str, module: str) -> str:
    """The innermost room that a module is in; "" where there is none."""
    return max((room for room in ROOMS[package] if f"{module}.".startswith(f"{room}.")), key=len, default="")


def functions(package: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function and method of a package, with the module that it is in."""
    for module, tree in modules(package).items():
        yield from (
            (module, node) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        )


def argument_count(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How many arguments a caller can give: ``*args`` and ``**kwargs`` are one each, ``self`` and ``cls`` none."""
    given = function.args
    named = [argument.arg for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    bound = named[:1] in (["self"], ["cls"])
    return len(named) - bound + (given.vararg is not None) + (given.kwarg is not None)


@pytest.mark.parametrize("package", SOURCES)
def test_every_module_has_a_room_and_every_room_is_there(package: str) -> None:
    assert [module for module in modules(package) if module and not room_of(package, module)] == []
    assert [room for room in ROOMS[package] if room not in modules(package)] == []


@pytest.mark.parametrize(
    ("package", "heading"),
    [(LIBRARY, "The library"), (PANEL, "The panel"), (STUDY_PANEL, "The panel of reader studies")],
)
def test_the_page_on_the_architecture_lists_the_rooms_in_this_order(package: str, heading: str) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    (section,) = re.findall(rf"^## {heading}\n(.*?)(?=^## )", text, re.DOTALL | re.MULTILINE)
    listed = [
        re.sub(r"/$|\.py$", "", row).replace("/", ".") for row in re.findall(r"^\| `(.+?)` ", section, re.MULTILINE)
    ]
    assert listed == list(reversed(ROOMS[package]))


@pytest.mark.parametrize("package", SOURCES)
def test_no_room_imports_from_a_higher_one(package: str) -> None:
    rooms = {module: room_of(package, module) for module in modules(package)}
    height = {module: ROOMS[package].index(room) for module, room in rooms.items() if room}
    upward = [
        f"{module}:{line} imports {found}"
        for module in height  # not the package itself, which may name what is in any room
        for found, line in imported_modules(package, module)
        if height.get(found, -1) > height[module]
    ]
    assert upward == []


def test_neither_the_library_nor_the_first_panel_knows_the_panel_of_reader_studies() -> None:
    knowing = [
        module
        for package in (LIBRARY, PANEL)
        for module, tree in modules(package).items()
        if STUDY_PANEL in ast.dump(tree)
    ]
    assert knowing == []


def test_no_room_takes_the_names_that_the_package_itself_offers() -> None:
    taken = [
        f"{module}:{line} imports {name}"
        for module in modules(LIBRARY)
        for name, line in imported_names(LIBRARY, module)
        if name and name not in FACADE and name.partition(".")[0] not in modules(LIBRARY)
    ]
    assert taken == []


@pytest.mark.parametrize("package", SOURCES)
def test_no_module_needs_itself_by_way_of_others(package: str) -> None:
    needs = {module: {found for found, _ in imported_modules(package, module)} for module in modules(package)}
    needs = {module: found - {"", module} for module, found in needs.items() if module}
    while free := [module for module, found in needs.items() if not found & needs.keys()]:
        for module in free:
            del needs[module]
    assert {module: sorted(found & needs.keys()) for module, found in needs.items()} == {}


@pytest.mark.parametrize("package", SOURCES)
def test_no_function_outside_the_command_line_has_more_than_eight_arguments(package: str) -> None:
    found = [
        f"{module}:{function.lineno} {function.name}: {argument_count(function)}"
        for module, function in functions(package)
        if (package, room_of(package, module)) != (LIBRARY, "cli") and argument_count(function) > MOST_ARGUMENTS
    ]
    assert found == []


def test_the_method_fits_one_screen() -> None:
    (method,) = (f for module, f in functions(LIBRARY) if (module, f.name) == ("pipeline", "super_resolve"))
    assert method.end_lineno is not None
    assert method.end_lineno - method.lineno + 1 <= MOST_LINES_OF_SUPER_RESOLVE
