"""Tests in this folder run in the test host, and unchanged in a real Slicer; from here on slicer can be imported."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slicer_host.fixtures import *  # noqa: F403
