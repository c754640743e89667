"""slicer.parameterNodeWrapper: classes whose typed members are kept in a parameter node and shown by widgets."""

from __future__ import annotations

from typing import Any

from slicer_host import names
from slicer_host.errors import NotBuiltInHost

from .annotations import (
    Choice,
    Decimals,
    Default,
    Exclude,
    IsInstance,
    Label,
    Maximum,
    Minimum,
    NotNone,
    RangeBounds,
    SingleStep,
    Validator,
    WithinRange,
)
from .gui import SlicerParameterNamePropertyName
from .packs import FloatRange, isParameterPack, parameterPack
from .wrapper import isParameterNodeWrapper, parameterNodeWrapper

__all__ = [
    "Choice",
    "Decimals",
    "Default",
    "Exclude",
    "FloatRange",
    "IsInstance",
    "Label",
    "Maximum",
    "Minimum",
    "NotNone",
    "RangeBounds",
    "SingleStep",
    "SlicerParameterNamePropertyName",
    "Validator",
    "WithinRange",
    "isParameterNodeWrapper",
    "isParameterPack",
    "parameterNodeWrapper",
    "parameterPack",
]


def __getattr__(name: str) -> Any:
    """What Slicer lists and the host lacks is said to be so."""
    if name in names.words("slicer.parameterNodeWrapper"):
        raise NotBuiltInHost(f"slicer.parameterNodeWrapper.{name}")
    raise AttributeError(f"slicer.parameterNodeWrapper in Slicer has no {name}.")
