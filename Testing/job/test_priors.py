"""What --prior may be: a name, a folder, a checkpoint, or a fetched repository of the hub."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.job.priors import cache_folder, find_prior, hub_folder, known_priors, prior_name

NAME = "hub:Some-one/x-ray.prior"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A user with an empty home."""
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "USERPROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {}, "home/.cache"),
        ("linux", {"XDG_CACHE_HOME": "/elsewhere"}, "/elsewhere"),
        ("linux", {"XDG_CACHE_HOME": "not/absolute"}, "home/.cache"),  # to be ignored, says its specification
        ("darwin", {"XDG_CACHE_HOME": "/elsewhere"}, "home/Library/Caches"),
        ("win32", {}, "home/AppData/Local"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local"),
    ],
)
def test_the_cache_is_where_the_platform_has_it(platform, environment, expected, home, monkeypatch):
    monkeypatch.setattr(sys, "platform", platform)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    base = home / expected.removeprefix("home/") if expected.startswith("home/") else Path(expected)
    assert cache_folder() == base / "ctsuperresolution" / "priors"


def test_folders_and_checkpoints_are_found(tmp_path):
    checkpoint = tmp_path / "EMA.PT"
    checkpoint.write_bytes(b"weights")
    assert find_prior(str(checkpoint)) == checkpoint and prior_name(str(checkpoint)) == "EMA.PT"
    assert find_prior(str(tmp_path)) == tmp_path
    other = tmp_path / "readme.txt"
    other.write_text("no weights")
    for absent in (other, tmp_path / "absent.pt"):
        with pytest.raises(JobError, match=r"or give the folder or the checkpoint \(.pt\) of one"):
            Method(prior=str(absent))


def test_what_was_not_fetched_says_how_to_fetch_it():
    with pytest.raises(JobError, match=f"run 'ctsr fetch-prior {NAME}' once.*2.2 GB.*licence"):
        Method(prior=NAME)
    assert list(known_priors()) == ["shipped"]


def test_what_was_fetched_is_known_by_name():
    folder = hub_folder(NAME)
    folder.mkdir(parents=True)
    assert list(known_priors()) == ["shipped"]  # nothing in it yet
    (folder / "config.json").write_text("{}")
    assert known_priors()[NAME] == find_prior(NAME) == folder
    assert prior_name(NAME) == NAME


@pytest.mark.parametrize(
    "name", ["hub:", "hub:owner", "hub:../..", "hub:a/../../b", "hub:a/b/c", "hub:/a/b", "hub:a/.b"]
)
def test_names_that_could_lead_elsewhere_are_refused(name):
    with pytest.raises(JobError, match="not of the form hub:OWNER/NAME"):
        find_prior(name)


def test_the_quick_network_is_asked_where_there_is_one_and_it_is_wanted(tmp_path):
    """`preview` wants it; a prior without one gives its own."""
    whole, alone = tmp_path / "whole", tmp_path / "alone"
    (whole / "quick").mkdir(parents=True)
    alone.mkdir()
    assert Method(preset="preview", prior=str(whole)).prior_place == whole / "quick"
    assert Method(preset="balanced", prior=str(whole)).prior_place == whole
    assert Method(preset="balanced", prior=str(whole), settings={"network": "quick"}).prior_place == whole / "quick"
    assert Method(preset="preview", prior=str(whole), settings={"network": "full"}).prior_place == whole
    assert Method(preset="preview", prior=str(alone)).prior_place == alone
    checkpoint = tmp_path / "ema.pt"
    checkpoint.write_bytes(b"weights")
    assert Method(preset="preview", prior=str(checkpoint)).prior_place == checkpoint
