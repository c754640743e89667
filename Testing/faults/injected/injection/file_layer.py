"""File layer of Python and SimpleITK, wrapped: every call that changes a file or folder may fail, or be the last one.

What goes to standard streams, pipes and sockets is left alone.
"""

from __future__ import annotations

import builtins
import importlib.abc
import importlib.machinery
import importlib.util
import io
import os
import shutil  # noqa: F401 - looks at what is in os when it is loaded, which has to be the originals
import stat
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from injection import trigger

LAYER = "file"
NAMES = (
    "chmod", "fdatasync", "fsync", "ftruncate", "link", "mkdir", "remove", "rename", "replace", "rmdir", "symlink",
    "truncate", "unlink", "utime",
)  # fmt: skip


class Call:
    """A function whose calls count, those at least that ``counts`` says so of; a callable object, so never a method."""

    def __init__(self, name: str, real: Callable, counts: Callable[..., bool] = lambda *_: True) -> None:
        self._name, self._real, self._counts = name, real, counts

    def __call__(self, *given: Any, **named: Any) -> Any:
        if self._counts(*given) and trigger.strikes(LAYER, self._name, given[0]):
            raise trigger.error(given[0])
        return self._real(*given, **named)


class Raw(io.FileIO):
    """A file whose writes count. One that fails for want of space has written a part."""

    def write(self, data: Any) -> int:
        if not trigger.strikes(LAYER, "write", self.name):
            return super().write(data)
        failure = trigger.error(None)
        if failure.errno != 13:
            super().write(memoryview(data)[: len(data) // 2])
        raise failure


class Opening:
    """``open``, whose files for writing count."""

    def __init__(self, real: Callable) -> None:
        self._real = real

    def __call__(
        self, file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, closefd=True, opener=None
    ) -> Any:
        if isinstance(file, int) or not set(mode) & set("wax+"):
            return self._real(file, mode, buffering, encoding, errors, newline, closefd, opener)
        if trigger.strikes(LAYER, "open", file):
            raise trigger.error(file)
        raw = Raw(file, mode.replace("b", "").replace("t", ""), closefd, opener)
        if buffering == 0:
            return raw
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)


class AfterImport(importlib.abc.MetaPathFinder):
    """Changes a module once it has been loaded."""

    def __init__(self, name: str, change: Callable[[Any], None]) -> None:
        self._name, self._change = name, change

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_and_change(module: Any) -> None:
                load(module)
                self._change(module)

            spec.loader.exec_module = load_and_change  # type: ignore[method-assign]
        return spec


def install() -> None:
    """Put the wrappers in place; without a plan they let everything pass."""
    for name in NAMES:
        if hasattr(os, name):
            setattr(os, name, Call(name, getattr(os, name)))
    os.open = Call("open", os.open, _for_writing)
    os.write = Call("write", os.write, _regular)
    io.open = builtins.open = Opening(io.open)
    _count_forks()
    sys.meta_path.insert(0, AfterImport("SimpleITK", _count_images))


def _for_writing(path: object, flags: int = 0, *_: object) -> bool:
    return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def _regular(descriptor: int, *_: object) -> bool:
    return stat.S_ISREG(os.fstat(descriptor).st_mode)


def _count_forks() -> None:
    real = subprocess.Popen._execute_child  # type: ignore[attr-defined]

    def execute(self: subprocess.Popen, *given: Any) -> None:
        if trigger.strikes(LAYER, "fork", ""):
            raise trigger.error(None)
        real(self, *given)

    subprocess.Popen._execute_child = execute  # type: ignore[attr-defined]


def _count_images(sitk: Any) -> None:
    real = sitk.WriteImage

    def write(image: Any, name: Any, *given: Any, **named: Any) -> None:
        strikes = trigger.strikes(LAYER, "write image", name)
        real(image, name, *given, **named)
        if strikes:  # as ITK does it: a part of the file, and no word of why
            os.truncate(name, os.path.getsize(name) // 2)
            raise RuntimeError("Exception thrown in SimpleITK WriteImage: the file could not be written")

    sitk.WriteImage = write
