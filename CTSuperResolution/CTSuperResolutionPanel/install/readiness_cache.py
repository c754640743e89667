"""Readiness cache: remembers that a Python had all that jobs need, so that it is not inspected before every job."""

from __future__ import annotations

import json
from pathlib import Path

import slicer

from CTSuperResolutionLib import __version__
from CTSuperResolutionPanel.install.environment_status import EnvironmentStatus

SETTING = "CTSuperResolution/Ready"


def remember(found: EnvironmentStatus) -> None:
    """Keep that an inspection found a Python ready."""
    site = found.answer["site"]
    slicer.app.userSettings().setValue(SETTING, json.dumps([*_state(found.python, site), site]))


def is_remembered(python: Path) -> bool:
    """Whether that Python was found to be ready, and nothing was installed there or removed since."""
    try:
        *state, site = json.loads(slicer.app.userSettings().value(SETTING))
    except (TypeError, ValueError):
        return False
    return state == _state(python, site)


def forget() -> None:
    """Have the Python inspected again before the next job."""
    slicer.app.userSettings().remove(SETTING)


def _state(python: Path, site: str) -> list:
    """What changes when packages come or go, or the library does."""
    try:
        return [str(python), python.stat().st_mtime, Path(site).stat().st_mtime, __version__]
    except OSError:
        return []
