"""Where the priors are that can be called by name."""

from __future__ import annotations

import os
from pathlib import Path

from CTSuperResolutionLib.job.parameters import unknown

DEFAULT_PRIOR = "shipped"


def known_priors() -> dict[str, Path]:
    """Names and folders of the priors that come with the library, present or not."""
    package = Path(__file__).resolve().parents[1]
    # Inside the package when installed as a wheel, beside it in a checkout.
    folders = [package / "Resources" / "Prior", package.parent / "Resources" / "Prior"]
    return {DEFAULT_PRIOR: next((folder for folder in folders if folder.is_dir()), folders[-1])}


def find_prior(name: str) -> Path:
    """The folder of a prior given by name or by path.

    Raises:
        JobError: neither a known name nor an existing folder; names the nearest.
    """
    known = known_priors()
    if name in known:
        return known[name]
    if name and os.path.isdir(name):  # unlike Path.is_dir, False for paths that cannot be
        return Path(name)
    raise unknown("prior", name, known, more=", or give the folder of one")


def prior_name(prior: str) -> str:
    """What to call a prior given by name or by path, "." included: the name, or that of its folder."""
    return prior if prior in known_priors() else Path(os.path.abspath(prior)).name
