"""Capture of the standard error that ITK and the C libraries under it write to by themselves."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

import SimpleITK as sitk


@contextmanager
def captured_stderr() -> Iterator[Callable[[], str]]:
    """Keep the process's standard error, C++ included, off the terminal; yields a function that returns it so far.

    ITK's warnings can be switched off, but MetaIO, VNL and the JPEG decoders write to file descriptor 2 directly.
    Other threads' messages there are held back too, so keep the block short.
    """
    warnings = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.GlobalWarningDisplayOff()
    try:
        with _scratch_file() as file:
            try:
                kept = os.dup(2)
            except OSError:  # a process without a terminal may have no descriptor 2
                yield lambda: ""
                return
            try:
                os.dup2(file.fileno(), 2)
                yield lambda: _text(file.fileno())
            finally:
                os.dup2(kept, 2)
                os.close(kept)
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(warnings)


def _scratch_file() -> IO[bytes]:
    """A file in memory, where the system has them: there need not be a folder for temporary ones."""
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("stderr"), "w+b")
    return tempfile.TemporaryFile()


def _text(descriptor: int) -> str:
    """All of a small file, without moving the position at which descriptor 2 goes on writing."""
    position = os.lseek(descriptor, 0, os.SEEK_CUR)
    os.lseek(descriptor, 0, os.SEEK_SET)
    text = os.read(descriptor, 1 << 16).decode(errors="replace")
    os.lseek(descriptor, position, os.SEEK_SET)
    return text
