"""The CPU library for tests that need it."""

from __future__ import annotations

import ctypes
import shutil

import pytest

from CTSuperResolutionLib.kernels.cpu_library import LibraryError, load_library


def library_or_skip() -> ctypes.CDLL:
    """The CPU library; missing is an error where it could have been built."""
    try:
        return load_library()
    except LibraryError as error:
        if any(map(shutil.which, ("c++", "g++", "clang++", "cl"))):
            pytest.fail(f"There is a compiler here but no CPU library: {error}.")
        pytest.skip(f"no compiler, so no CPU library: {error}")
