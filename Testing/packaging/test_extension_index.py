"""The entry for Slicer's extensions index, by the rules of its schema (1.0.2) and of its pull-request checks.

The repository's address is not known yet. It stands in the entry; COPIES repeat it, for they are read as literal text.
To change it, replace it in all of them: a test holds that they agree, and that no other file has it.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
ENTRY = ROOT / "Resources" / "ExtensionsIndex" / "CTSuperResolution.json"
SCHEMA = (
    "https://raw.githubusercontent.com/Slicer/Slicer/main/Schemas/slicer-extension-catalog-entry-schema-v1.0.2.json#"
)
COPIES = ("CITATION.cff", "CMakeLists.txt")
TYPES = {
    "$schema": str,
    "build_dependencies": list,
    "build_subdirectory": str,
    "category": str,
    "dicom_support_rule": str,
    "enabled": bool,
    "scm_revision": str,
    "scm_type": str,
    "scm_url": str,
    "tier": int,
}
NAMES_OF_LICENCES = ("LICENSE", "LICENCE", "License.txt", "license.txt", "LICENSE.txt", "COPYING", "COPYING.txt")


@pytest.fixture(scope="module")
def entry() -> dict:
    return json.loads(ENTRY.read_text())


@pytest.fixture(scope="module")
def cmake() -> str:
    return (ROOT / "CMakeLists.txt").read_text()


def variable(cmake: str, name: str) -> str:
    """As the index reads it: a literal string within one set()."""
    found = re.search(rf'set\s*\({name}\s*"([^"]+)"\s*\)', cmake)
    assert found, f"{name} is not set to a literal string"
    assert "$" not in found[1]
    return found[1]


def test_the_entry_follows_the_schema(entry):
    assert {"$schema", "category", "scm_url"} <= set(entry) <= set(TYPES)
    assert all(type(value) is TYPES[key] for key, value in entry.items())
    assert entry["$schema"] == SCHEMA
    assert 1 <= entry["tier"] <= 5
    assert entry["category"] == "Image Synthesis"  # one of those that the index knows
    assert b"\r" not in ENTRY.read_bytes()


def test_the_module_is_recommended_for_ct_and_nothing_else(entry):
    """The rule is an expression that Slicer evaluates for every DICOM series."""
    assert entry["dicom_support_rule"] == "Modality == 'CT'"


def test_the_address_of_the_repository_is_that_of_the_entry_wherever_it_stands(entry):
    """One of any other owner would be made up."""
    repository = urlsplit(entry["scm_url"]).path.removesuffix(".git")
    name = Path(repository).name
    found: dict[str, set[str]] = {}
    for file in tracked_files():
        if file.suffix in (".png", ".safetensors"):
            continue
        text = file.read_text(encoding="utf-8", errors="replace")
        for owner in re.findall(rf"([\w.-]+)/{re.escape(name)}\b", text):
            found.setdefault(str(file.relative_to(ROOT)), set()).add(f"/{owner}/{name}")
    assert found == {file: {repository} for file in (*COPIES, str(ENTRY.relative_to(ROOT)))}


def test_names_follow_the_rules(entry, cmake):
    """The repository begins with Slicer, the extension does not; the extension's name is that of the CMake project."""
    url = urlsplit(entry["scm_url"])
    repository = Path(url.path).stem
    assert url.scheme == "https" and repository == f"Slicer{ENTRY.stem}"
    assert not ENTRY.stem.lower().startswith("slicer")
    assert re.search(r"project\s*\(\s*([^\s)]+)", cmake)[1] == ENTRY.stem
    assert (ROOT / "CTSuperResolution" / f"{ENTRY.stem}.py").is_file()


def test_cmake_and_the_entry_say_the_same(entry, cmake):
    assert variable(cmake, "EXTENSION_DEPENDS").split() == entry["build_dependencies"]
    assert variable(cmake, "EXTENSION_HOMEPAGE") == entry["scm_url"].removesuffix(".git")
    assert 40 < len(variable(cmake, "EXTENSION_DESCRIPTION")) < 400
    assert "Apache-2.0" in variable(cmake, "EXTENSION_DESCRIPTION")
    assert variable(cmake, "EXTENSION_CONTRIBUTORS")


def test_pictures_named_by_address_are_files_of_the_repository(entry, cmake):
    owner = urlsplit(entry["scm_url"]).path.removesuffix(".git")
    base = f"https://raw.githubusercontent.com{owner}/{entry['scm_revision']}/"
    screenshots = variable(cmake, "EXTENSION_SCREENSHOTURLS").split()
    for address in (variable(cmake, "EXTENSION_ICONURL"), *screenshots):
        assert address.startswith(base), address
        with Image.open(ROOT / address.removeprefix(base)) as picture:
            assert picture.format == "PNG"
    assert any(Path(address).name == "panel-compare.png" for address in screenshots)  # what the module looks like
    with Image.open(ROOT / variable(cmake, "EXTENSION_ICONURL").removeprefix(base)) as icon:
        assert icon.size == (128, 128)


def test_there_is_a_licence_at_the_top():
    assert any((ROOT / name).is_file() for name in NAMES_OF_LICENCES)


def git(*command: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *command], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout: neither its files nor the history's size can be told")
    return done.stdout


def tracked_files() -> list[Path]:
    files = [ROOT / name for name in git("ls-files", "-z").split("\0") if name]
    return [file for file in files if file.is_file()]


def test_the_repository_with_its_history_stays_far_below_the_index_limit_of_100_mb():
    history = sum(int(kb) * 1024 for kb in re.findall(r"^size(?:-pack)?: (\d+)$", git("count-objects", "-v"), re.M))
    assert history + sum(file.stat().st_size for file in tracked_files()) < 60e6
