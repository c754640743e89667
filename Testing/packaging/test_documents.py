"""The documents: short where they are to be short, linked, and true of the files, options and names that they give."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from CTSuperResolutionLib.cli import demo
from CTSuperResolutionLib.cli.main import make_parser
from CTSuperResolutionLib.job.parameters import PARAMETERS, Parameters, find_parameter
from CTSuperResolutionLib.job.refinement import Refinement
from CTSuperResolutionLib.job.target_grid import TargetGrid
from CTSuperResolutionLib.planning.requirements import DEFAULT_SHARE
from CTSuperResolutionLib.planning.slabs import MARGIN, least_slabs, plan_slabs

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = ROOT / "Resources" / "Documentation"
MOST_WORDS = 1300

FOLDERS = ("CTSuperResolution", "CTSuperResolutionLib", "CUDAKernels", "Resources", "Testing")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md"))])
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"^ *(?:python3 Testing/run_in_venv\.py )?(ctsr .*?)(?: #.*)?$", re.MULTILINE)


def of(paths: list[Path]) -> dict[str, object]:
    return {"argvalues": paths, "ids": [str(path.relative_to(ROOT)) for path in paths]}


def text_of(document: Path) -> str:
    return document.read_text(encoding="utf-8")


def code_blocks(document: Path, language: str) -> list[str]:
    return [block for _, kind, block in FENCED.findall(text_of(document)) if kind == language]


def links(document: Path) -> list[str]:
    """Targets inside the repository, as they are written."""
    return [link for link in LINK.findall(FENCED.sub("", text_of(document))) if "://" not in link]


def anchors(document: Path) -> set[str]:
    """What GitHub calls the headings of a document: small letters, hyphens for spaces, no other signs."""
    headings = re.findall(r"^#+ +(.+)$", FENCED.sub("", text_of(document)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(document: Path) -> list[list[str]]:
    """The calls of ctsr in code blocks, lines that go on joined."""
    blocks = "\n".join(code_blocks(document, "")).replace("\\\n", " ")
    return [shlex.split(line) for line in COMMAND.findall(blocks)]


def options_of(command: str) -> set[str]:
    (commands,) = (a for a in make_parser()._actions if isinstance(a, argparse._SubParsersAction))
    return {option for action in commands.choices[command]._actions for option in action.option_strings}


def paths_in(document: Path) -> Iterator[str]:
    """Files and folders named as such, with a slash, in the text."""
    for name in re.findall(r"`([\w./-]+)`", FENCED.sub("", text_of(document))):
        if "/" in name and name.split("/")[0] in {path.name for path in ROOT.iterdir()}:
            yield name


def test_the_readme_is_short() -> None:
    assert len(text_of(README).split()) < MOST_WORDS


def test_the_readme_has_what_the_extensions_index_asks_for() -> None:
    text = text_of(README)
    for wanted in (
        "Resources/Screenshots/panel-compare.png",
        "CT Super-Resolution",
        "Tutorial",
        "Sample Data",
        "ThoraxPhantom",
    ):
        assert wanted in text
    assert "arxiv.org/abs/2508.15151" in text and "LICENSE" in links(README)


def test_the_tutorial_names_what_the_panel_shows() -> None:
    module = ROOT / "CTSuperResolution"
    shown = "\n".join(text_of(path) for path in module.rglob("*") if path.suffix in (".ui", ".py"))
    (tutorial,) = re.findall(r"^\*\*Tutorial\*\*.*?(?=^## )", text_of(README), re.DOTALL | re.MULTILINE)
    labels = re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", tutorial)
    assert len(labels) > 15
    assert [label for label in labels if label not in shown and label.lower() not in PARAMETERS] == []


def test_the_scanned_thorax_and_the_generated_one_are_told_apart() -> None:
    rows = [row for row in text_of(README).splitlines() if row.startswith("| ") and "thorax" in row]
    assert rows and all(row.startswith("| FDA thorax phantom") for row in rows)
    evaluation = text_of(ROOT / "Resources" / "Evaluation" / "README.md")
    assert not re.findall(r"(?<!FDA )(?<!FDA thorax )phantom \d×|(?<!FDA )\bphantom \|", evaluation)
    assert "generate a thorax" in str(demo.__doc__) and "not the scanned FDA thorax phantom" in str(demo.__doc__)


def test_the_guide_says_what_size_of_scan_fits() -> None:
    """Where it tells how to run a whole scan, and truly."""
    guide = " ".join(text_of(PAGES / "user-guide.md").split())
    assert "too large for the memory (`--memory`) is worked on in slabs" in " ".join(text_of(README).split())
    told = re.search(
        r"(\d+) slices of 512 × 512 at 2× take ([\d.]+) GB at once and ([\d.]+) GB in (\d+) slabs, "
        r"at 4× ([\d.]+) GB in (\d+) slabs",
        guide,
    )
    assert told is not None
    slices, whole, least, thin, finer, thinner = map(float, told.groups())
    p = Parameters.of("balanced")
    grids = [
        TargetGrid.over((int(slices), 512, 512), (1.0, 0.7, 0.7), Refinement.by_scale(s, (1.0, 0.7, 0.7))) for s in "24"
    ]
    at_once = plan_slabs(p, grids[0], 1 << 50, most_slabs=1)
    assert at_once is not None and at_once.memory == pytest.approx(whole * 1e9, rel=0.02)
    for grid, memory, count in zip(grids, (least, finer), (thin, thinner), strict=True):
        slabs, needed = least_slabs(p, grid)
        assert slabs == count and needed == pytest.approx(memory * 1e9, rel=0.02)
    assert f"{MARGIN} voxels of the scan on either side" in guide and DEFAULT_SHARE == 0.8


def test_every_page_is_linked_from_the_readme() -> None:
    linked = {(ROOT / link.partition("#")[0]).resolve() for link in links(README)}
    assert set(PAGES.glob("*.md")) <= linked
    assert {ROOT / "Resources" / name / "README.md" for name in ("Evaluation", "Prior")} <= linked


@pytest.mark.parametrize("document", **of(DOCUMENTS))
def test_links_lead_somewhere(document: Path) -> None:
    for link in links(document):
        place, _, anchor = urllib.parse.unquote(link).partition("#")
        target = (document.parent / place) if place else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("document", **of(DOCUMENTS))
def test_files_that_are_named_are_there(document: Path) -> None:
    assert [name for name in paths_in(document) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("document", **of(DOCUMENTS))
def test_commands_have_the_options_that_are_shown(document: Path) -> None:
    for _, command, *words in commands(document):
        shown = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert shown <= options_of(command), f"{command} {words}"
    for name in re.findall(r"--set[ =](\w+)=", text_of(document)):
        find_parameter(name)


def test_the_example_in_python_is_one() -> None:
    assert code_blocks(README, "python") == code_blocks(PAGES / "programs.md", "python")


@pytest.mark.slow
def test_the_example_in_python_runs(tmp_path) -> None:
    from CTSuperResolutionLib.phantom import thorax
    from CTSuperResolutionLib.volume.writing import write_volume

    write_volume(thorax(shape=(8, 16, 16), spacing=12.0), tmp_path / "scan.nrrd")
    (example,) = code_blocks(README, "python")
    code = f"{example}\nprint(result.sr.array.shape)"
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}  # or waiting threads take the other tests' time
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "(32, 64, 64)", done.stderr
