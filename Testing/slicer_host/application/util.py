"""slicer.util: slicer-core's own file, held to what Slicer 5.8 has."""

from __future__ import annotations

import functools
import inspect
import re
import sys
from typing import Any

from slicer_host import names

NEWER = ("executePythonModule",)
"""Functions that came after 5.8."""


def hold_to_listed(util: Any) -> None:
    """Refuse functions and arguments that Slicer 5.8 does not list, and replace pip."""
    for name in NEWER:
        delattr(util, name)
    for name, signature in names.listed("python")["slicer.util"].items():
        function = getattr(util, name, None)
        if inspect.isfunction(function) and set(inspect.signature(function).parameters) - parameters(signature):
            setattr(util, name, _held(function, parameters(signature)))
    util.pip_install = util.pip_uninstall = _no_pip


def parameters(signature: str) -> set[str]:
    """Names of the parameters in text such as (widget, name='', *args)."""
    plain = re.sub(r"<[^>]*>|'[^']*'", "", signature)[1:-1]
    while re.search(r"[\[({]", plain):  # defaults that are lists or calls hold commas of their own
        plain = re.sub(r"[\[({][^\[\](){}]*[\])}]", "", plain)
    return {item.split("=")[0].strip().lstrip("*") for item in plain.split(",")}


def _held(function: Any, allowed: set[str]) -> Any:
    @functools.wraps(function)
    def call(*given: Any, **named: Any) -> Any:
        if sys._getframe(1).f_globals.get("__name__") == "slicer.util":  # its newer functions call each other
            return function(*given, **named)
        newer = set(inspect.signature(function).bind(*given, **named).arguments) - allowed
        if newer:
            title = f"slicer.util.{function.__name__}"
            raise TypeError(f"{title} of Slicer 5.8 has no argument {', '.join(sorted(newer))}.")
        return function(*given, **named)

    return call


def _no_pip(requirements: Any) -> None:
    """In Slicer this changes Slicer's Python, here it would change the one that runs the tests."""
    raise RuntimeError(
        f"The test host does not install or remove {requirements} in the Python that runs the tests; "
        "a test that comes here has to replace slicer.util.pip_install."
    )
