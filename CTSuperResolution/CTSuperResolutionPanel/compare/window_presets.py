"""Window presets for reading CT."""

from __future__ import annotations

from typing import NamedTuple

from slicer.i18n import tr as _


class WindowPreset(NamedTuple):
    """A named window; width and level in HU."""

    name: str
    window: float
    level: float


def window_presets() -> tuple[WindowPreset, ...]:
    """The presets in the order of their buttons, named in the user's language."""
    return (
        WindowPreset(_("Lung"), 1500, -600),
        WindowPreset(_("Bone"), 1800, 400),
        WindowPreset(_("Soft tissue"), 400, 40),
        WindowPreset(_("Brain"), 80, 40),
    )
