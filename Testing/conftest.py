"""Fixtures shared by all rooms' tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the development data: $CTSR_DATA, or ``shared/data`` beside the checkout; skips where it is absent."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("CTSR_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"development data not found at {folder}; set CTSR_DATA to its folder")
    return folder


@pytest.fixture(scope="session")
def reading_cases(shared_data: Path) -> Path:
    """Folder of the small inputs that are hard to read, beside that of the data; skips where it is absent."""
    folder = shared_data.parent / "cases" / "reading"
    if not folder.is_dir():
        pytest.skip(f"cases for reading not found at {folder}")
    return folder
