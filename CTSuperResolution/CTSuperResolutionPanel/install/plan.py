"""What to run to install what is missing, and what to tell the user about it before."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from slicer.i18n import tr as _

from CTSuperResolutionPanel.install import clean
from CTSuperResolutionPanel.install.requirements import MODULES, NEVER, Requirements, name_of

PIP = ("-m", "pip")
INSTALL = ("install", "--disable-pip-version-check", "--no-input", "--no-warn-script-location", "--only-binary=:all:")


@dataclass(frozen=True)
class Step:
    """One process of an installation: what to tell the user, and the arguments for Python."""

    title: str
    arguments: tuple[str, ...]


def steps_online(found: Requirements, constraints: Path, torch_arguments: Sequence[str]) -> list[Step]:
    """Install from pip's package servers, torch as the PyTorch extension does.

    Args:
        found: what is missing.
        constraints: the file that holds :func:`constraints_of`.
        torch_arguments: what the extension gives to light-the-torch.
    """
    fixed = ("-c", str(constraints))
    steps = _removal(found)
    if found.needs_torch:
        if found.answer["light_the_torch"] is None:
            finder = (*PIP, *INSTALL, *fixed, "light-the-torch>=0.5")
            steps.append(Step(_("Installing what finds the right torch for this computer"), finder))
        install, *rest = torch_arguments
        arguments = ("-m", "light_the_torch", install, *INSTALL[1:], *fixed, *rest)
        steps.append(Step(_("Installing torch"), arguments))
    others = [each for each in found.missing if name_of(each) != "torch"]
    if others:
        steps.append(Step(_("Installing the other packages"), (*PIP, *INSTALL, *fixed, *others)))
    return steps


def steps_offline(found: Requirements, constraints: Path, wheels: Path) -> list[Step]:
    """Install from a folder of wheels and nothing else."""
    source = ("--no-index", "--find-links", str(wheels), "-c", str(constraints))
    return [*_removal(found), Step(_("Installing from the folder"), (*PIP, *INSTALL, *source, *found.missing))]


def download_command(found: Requirements) -> str:
    """What to run on a computer with a network, and the same Slicer, to get the wheels for this one."""
    wanted = " ".join(f'"{each}"' for each in found.missing)
    return f"PythonSlicer -m pip download --only-binary=:all: -d wheels {wanted}"


def constraints_of(found: Requirements) -> str:
    """A pip constraints file that keeps Slicer's own packages as they are, and others out."""
    pinned = found.answer["pinned"]
    kept = [f"{name}=={version}" for name, version in pinned.items() if version is not None]
    return "\n".join([*kept, *(f"{name}<0" for name in NEVER if pinned.get(name) is None)]) + "\n"


def _removal(found: Requirements) -> list[Step]:
    if found.replaces_torch:
        # pip takes torch for the CPU as good enough; torchvision goes with it, for it is built for one torch.
        arguments = (*PIP, "uninstall", "--yes", "torch", "torchvision")
        return [Step(_("Removing torch for the CPU"), arguments)]
    if found.broken:
        modules = {name: MODULES.get(name, name) for name in found.broken}
        return [Step(_("Removing what is half there"), (clean.__file__, json.dumps(modules)))]
    return []
