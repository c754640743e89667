"""Names of diffusion priors, and the folders and checkpoints that they stand for."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from CTSuperResolutionLib.errors import JobError, unknown

DEFAULT_PRIOR = "shipped"
HUB = "hub:"
CHECKPOINTS = (".pt", ".pth")
QUICK = "quick"
"""Folder within a prior's own: a smaller network that was trained alike."""


def known_priors() -> dict[str, Path]:
    """Names and folders of the priors that come with the library, present or not, and of those fetched from the hub."""
    fetched = sorted(file.parent for file in (cache_folder() / "hub").glob("*/*/config.json"))
    return {
        DEFAULT_PRIOR: shipped_folder("Prior"),
        **{f"{HUB}{folder.parent.name}/{folder.name}": folder for folder in fetched},
    }


def shipped_folder(name: str) -> Path:
    """A folder of what comes with the library, "Prior" or "SliceFixer", there or not."""
    package = Path(__file__).resolve().parents[1]
    # Inside the package when installed as a wheel, beside it in a checkout.
    folders = [package / "Resources" / name, package.parent / "Resources" / name]
    return next((folder for folder in folders if folder.is_dir()), folders[-1])


def find_prior(name: str) -> Path:
    """The folder, or the checkpoint file, of a prior given by name or by path.

    Raises:
        JobError: neither a known name nor an existing folder or checkpoint; names the nearest, or how to fetch it.
    """
    known = known_priors()
    if name in known:
        return known[name]
    if name.startswith(HUB):
        repository = hub_repository(name)
        raise JobError(
            f"The prior {name} is not on this computer; run 'ctsr fetch-prior {HUB}{repository}' once, which shows its "
            "size (about 2.2 GB for the paper's) and licence before it downloads."
        )
    # Unlike those of Path, these are False for paths that cannot be.
    if name and (os.path.isdir(name) or (name.lower().endswith(CHECKPOINTS) and os.path.isfile(name))):
        return Path(name)
    raise unknown("prior", name, known, more=", or give the folder or the checkpoint (.pt) of one")


def prior_name(prior: str) -> str:
    """Name of a prior given by name or by path, "." included: as given, or that of its folder or file, in UTF-8."""
    if prior in known_priors() or prior.startswith(HUB):
        return prior
    return Path(os.path.abspath(prior)).name.encode(errors="backslashreplace").decode()


def hub_repository(name: str) -> str:
    """OWNER/NAME of a prior's name hub:OWNER/NAME.

    Raises:
        JobError: not of that form.
    """
    part = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
    if not re.fullmatch(f"{HUB}{part}/{part}", name):
        raise JobError(f"The prior '{name}' is not of the form {HUB}OWNER/NAME; write it as the hub's address does.")
    return name.removeprefix(HUB)


def hub_folder(name: str) -> Path:
    """Folder of the fetched prior hub:OWNER/NAME, there or not. Raises JobError as :func:`hub_repository`."""
    return cache_folder() / "hub" / hub_repository(name)


def cache_folder() -> Path:
    """Folder that keeps priors which were fetched or converted: the user's cache, as the platform has it."""
    # Not Path.home(), which raises where a container's user has none.
    home = Path(os.path.expanduser("~"))
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        given = os.environ.get("XDG_CACHE_HOME", "")
        base = Path(given) if os.path.isabs(given) else home / ".cache"
    return base / "ctsuperresolution" / "priors"
