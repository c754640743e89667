"""Plan of an installation: the processes that install what is missing, online or from a folder of wheels."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from slicer.i18n import tr as _

from CTSuperResolutionPanel.install import package_removal
from CTSuperResolutionPanel.install.environment_status import EnvironmentStatus
from CTSuperResolutionPanel.install.requirements import MODULES, NEVER, name_of

PIP = ("-m", "pip")
SWAP = ("--force-reinstall", "--no-deps")
"""pip takes torch for the CPU as good enough, so it has to be told. It downloads the new one before it removes the old,
and puts that back where the new one cannot be installed. What torch itself needs comes after, for else numpy and others
of Slicer's own would be installed anew, too."""

FINDER = ("light-the-torch>=0.5",)
"""What finds torch for the computer, on PyPI: there it knows CUDA up to 12.6. The PyTorch extension has one that knows
more."""

INSTALL = ("install", "--disable-pip-version-check", "--no-input", "--no-warn-script-location", "--only-binary=:all:")


@dataclass(frozen=True)
class Step:
    """One process of an installation: what to tell the user, and the arguments for Python."""

    title: str
    arguments: tuple[str, ...]


def steps_online(
    found: EnvironmentStatus, constraints: Path, torch_arguments: Sequence[str], finder: Sequence[str] = FINDER
) -> list[Step]:
    """Install from pip's package servers, torch as the PyTorch extension does.

    Args:
        found: what is missing.
        constraints: the file that holds :func:`constraints_of`.
        torch_arguments: what the extension gives to light-the-torch.
        finder: what it gives to pip to install that.
    """
    fixed = ("-c", str(constraints))
    steps = _removal(found)
    if found.needs_torch:
        there = found.answer["light_the_torch"] is not None
        if not there or (found.cuda and tuple(finder) != FINDER):  # one from PyPI does not know every CUDA
            install = (*PIP, *INSTALL, *fixed, *(SWAP if there else ()), *finder)
            steps.append(Step(_("Installing what finds the right torch for this computer"), install))
        command, *rest = torch_arguments
        finds = ("-m", "light_the_torch", command, *INSTALL[1:], *fixed)
        if found.replaces_torch:
            steps.append(Step(_replacing(found), (*finds, *SWAP, *rest)))
        steps.append(Step(_("Installing torch"), (*finds, *rest)))
    others = [each for each in found.missing if name_of(each) != "torch"]
    if others:
        steps.append(Step(_("Installing the other packages"), (*PIP, *INSTALL, *fixed, *others)))
    return steps


def steps_offline(found: EnvironmentStatus, constraints: Path, wheels: Path) -> list[Step]:
    """Install from a folder of wheels and nothing else."""
    source = ("--no-index", "--find-links", str(wheels), "-c", str(constraints))
    steps = _removal(found)
    if found.replaces_torch:
        swap = (*PIP, *INSTALL, *source, *SWAP, *found.missing)
        steps.append(Step(_replacing(found), swap))
        # It is built for one torch, and jobs do not need it.
        steps.append(Step(_("Removing torchvision, which went with it"), (*PIP, "uninstall", "--yes", "torchvision")))
    return [*steps, Step(_("Installing from the folder"), (*PIP, *INSTALL, *source, *found.missing))]


def download_command(found: EnvironmentStatus) -> str:
    """What to run on a computer with a network, and the same Slicer, to get the wheels for this one."""
    wanted = " ".join(f'"{each}"' for each in found.missing)
    return f"PythonSlicer -m pip download --only-binary=:all: -d wheels {wanted}"


def constraints_of(found: EnvironmentStatus) -> str:
    """A pip constraints file that keeps Slicer's own packages as they are, and others out."""
    pinned = found.answer["pinned"]
    kept = [f"{name}=={version}" for name, version in pinned.items() if version is not None]
    return "\n".join([*kept, *(f"{name}<0" for name in NEVER if pinned.get(name) is None)]) + "\n"


def _replacing(found: EnvironmentStatus) -> str:
    if found.unfit_torch:
        return _("Replacing torch by one for this GPU")
    return _("Replacing torch for the CPU")


def _removal(found: EnvironmentStatus) -> list[Step]:
    if found.broken:
        modules = {name: MODULES.get(name, name) for name in found.broken}
        return [Step(_("Removing what is half there"), (package_removal.__file__, json.dumps(modules)))]
    return []
