"""Short ways to give the host's widgets Qt properties."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Property


def stored(kind: Any, name: str, default: Any, changed: Callable[[Any], None] | None = None) -> Property:
    """A property that is only kept, in the attribute ``_name``; ``changed(widget)`` runs after it was set."""

    def read(widget: Any) -> Any:
        return widget.__dict__.get("_" + name, default)

    def write(widget: Any, value: Any) -> None:
        widget.__dict__["_" + name] = value
        if changed is not None:
            changed(widget)

    return Property(kind, read, write)


def of_part(kind: Any, part: str, name: str) -> Property:
    """A property that is the one of an inner widget, kept in the attribute ``part``."""

    def read(widget: Any) -> Any:
        return getattr(widget, part).property(name)

    def write(widget: Any, value: Any) -> None:
        getattr(widget, part).setProperty(name, value)

    return Property(kind, read, write)
