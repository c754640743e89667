"""slicer.parameterNodeWrapper: classes whose typed members are kept in a parameter node and shown by widgets."""

from __future__ import annotations

from typing import Any

from slicer_host import names
from slicer_host.errors import NotBuiltInHost

from .kinds import WithinRange
from .wrapper import parameterNodeWrapper

__all__ = ["WithinRange", "parameterNodeWrapper"]


def __getattr__(name: str) -> Any:
    """What Slicer lists and the host lacks is said to be so."""
    if name in names.words("slicer.parameterNodeWrapper"):
        raise NotBuiltInHost(f"slicer.parameterNodeWrapper.{name}")
    raise AttributeError(f"slicer.parameterNodeWrapper in Slicer has no {name}.")
