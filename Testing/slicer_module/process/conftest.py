"""Tests that run jobs, for which everything is installed."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def jobs_can_run(installed):
    """What jobs need is there in every test of this folder."""
