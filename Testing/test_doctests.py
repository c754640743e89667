"""The examples in the docstrings of the library's public names work."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = [
    "phantom.assembly",
    "volume.axis_order",
    "volume.intensity",
    "volume.reading",
    "volume.volume",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    failed, attempted = doctest.testmod(importlib.import_module(f"CTSuperResolutionLib.{name}"))
    assert attempted and not failed
