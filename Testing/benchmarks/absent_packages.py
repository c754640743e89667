"""Stand-ins for missing packages, with which modules that need them can be imported and partly run."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Iterable, Sequence
from types import ModuleType, TracebackType
from typing import Any, NoReturn


class AbsentPackages(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Stands in for packages that are not installed, within a ``with`` block in which modules are imported.

    Whatever is taken from such a package can be named, inherited from and used as a decorator within the block, but
    not used after it. Only the library's own modules are answered:
    others ask in order to find out whether a package is there.

    Args:
        names: packages that may be missing.
        hidden: of these, the ones to treat as missing even where they are installed.

    Attributes:
        asked: the missing packages that something imported.
    """

    def __init__(self, names: Iterable[str], hidden: Iterable[str] = ()) -> None:
        self.asked: list[str] = []
        self._hidden = frozenset(hidden)
        self._missing = {name for name in names if name in self._hidden or not _installed(name)}

    def __enter__(self) -> AbsentPackages:
        sys.meta_path.insert(0, self)
        _Unusable.decorates = True
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        sys.meta_path.remove(self)
        _Unusable.decorates = False
        for name in [name for name, module in sys.modules.items() if isinstance(module, _Absent)]:
            del sys.modules[name]

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Python's question whether a module is to be had here."""
        package = name.partition(".")[0]
        if package not in self._missing or not _asked_by_the_library():
            return None
        if package not in self.asked:
            self.asked.append(package)
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """An empty module with everything in it."""
        return _Absent(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run."""


class _Absent(ModuleType):
    """A module that has every name."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Unusable(name, (), {"package": self.__name__.partition(".")[0]})


class _Unusable(type):
    """What a class or function of a missing package is: raises at its first use."""

    decorates = False

    def __call__(cls, *arguments: object, **options: object) -> Any:
        if _Unusable.decorates and len(arguments) == 1 and callable(arguments[0]) and not options:
            return arguments[0]
        raise ModuleNotFoundError(f"{cls.package} is not installed", name=cls.package)

    def __getattr__(cls, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        cls()


def _installed(name: str) -> bool:
    return importlib.machinery.PathFinder.find_spec(name) is not None


def _asked_by_the_library() -> bool:
    frame = sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__", "").startswith("importlib"):
        frame = frame.f_back
    return frame is not None and frame.f_globals.get("__name__", "").startswith("CTSuperResolutionLib")
