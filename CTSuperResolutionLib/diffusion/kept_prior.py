"""Kept prior: the one that was loaded last, for the next job of the same process."""

from __future__ import annotations

from pathlib import Path

import torch

from CTSuperResolutionLib.diffusion.prior import Prior
from CTSuperResolutionLib.diffusion.prior_folder import CONFIG, SCHEDULE, WEIGHTS

_Stamp = tuple[tuple[int, int, int], ...]
_kept: dict[tuple[Path, torch.device, _Stamp], Prior] = {}  # at most one: memory is what limits the size of a job


def kept_prior(place: Path, device: torch.device) -> Prior:
    """The prior at a place, read anew only where it is not the one of the call before, or its files have changed.

    It is shared: who wants to change a weight changes that of a copy.

    Args:
        place, device: as for :meth:`.Prior.load`.

    Raises:
        JobError: as :meth:`.Prior.load`.
    """
    key = place.resolve(), device, _stamp(place)
    if key not in _kept:
        _kept.clear()  # before the next one needs its memory
        _kept[key] = Prior.load(place, device=device)
    return _kept[key]


def _stamp(place: Path) -> _Stamp:
    """What changes with the files of a prior; empty where one is missing, which loading says."""
    files = [place] if place.is_file() else [place / name for name in (CONFIG, SCHEDULE, WEIGHTS)]
    try:
        found = [file.stat() for file in files]
    except OSError:
        return ()
    return tuple((stat.st_mtime_ns, stat.st_size, stat.st_ino) for stat in found)
