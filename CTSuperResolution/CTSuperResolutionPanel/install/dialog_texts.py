"""Dialog texts about a Python and what would be installed in it."""

from __future__ import annotations

from pathlib import Path

from slicer.i18n import tr as _

from CTSuperResolutionPanel.install.environment_status import EnvironmentStatus
from CTSuperResolutionPanel.install.interpreters import is_slicers
from CTSuperResolutionPanel.install.requirements import name_of


def name(python: Path) -> str:
    """What to call a Python."""
    return _("Slicer's Python") if is_slicers(python) else str(python)


def go_on(found: EnvironmentStatus) -> str:
    """The button that uses Slicer's Python as it is."""
    if found.unfit_torch:
        return _("Use it as it is")
    if found.replaces_torch:
        return _("Go on with the CPU")
    return _("Go on without") if found.missing else _("Use Slicer's Python")


def what(found: EnvironmentStatus) -> str:
    """What would be installed."""
    names = ", ".join(name_of(each) for each in found.missing)
    if found.cuda and found.needs_torch:
        return _("{names}, and what compiles the CUDA kernels").format(names=names)
    return names


def size(found: EnvironmentStatus, offline: bool) -> str:
    """How much that is."""
    text = _("about {disk:.1f} GB on disk").format(disk=found.disk_gb)
    if offline:
        return text
    text = _("about {download:.1f} GB to download, {disk}").format(download=found.size_gb, disk=text)
    if not found.needs_torch:
        return text
    if found.cuda:
        return _("{size} (torch for CUDA, for the {gpu})").format(size=text, gpu=found.answer["gpus"][0])
    return _("{size} (torch for the CPU: no NVIDIA GPU was found)").format(size=text)


def where(found: EnvironmentStatus) -> str:
    """Where it goes."""
    if not found.answer:
        return ""
    return _("{folder}, {free:.0f} GB free").format(folder=found.answer["site"], free=found.answer["free"] / 1e9)
