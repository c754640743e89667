"""The module objects qt and ctk, and the part of slicer that holds Qt classes."""

from __future__ import annotations

import types
from typing import Any

from . import classes


class ClassModule(types.ModuleType):
    """A module whose classes are made when they are first asked for."""

    def __getattr__(self, name: str) -> Any:
        """A class that Slicer lists for this module."""
        if name.startswith("__"):
            raise AttributeError(name)
        return classes.find(self.__name__, name)
