"""Tests of the test host itself, which a real Slicer does not need."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slicer_host.fixtures import *  # noqa: F403
