"""Priors of an evaluation: the one of every CT, its hash, and the CTs that it was trained on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from CTSuperResolutionLib.diffusion.prior import Prior
from CTSuperResolutionLib.diffusion.prior_folder import CARD
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.priors import known_priors


@dataclass(frozen=True)
class KnownPrior:
    """A prior that can be used, for provenance.

    Attributes:
        sha256: of its weights.
        trained_on: names of the CTs, without endings, that it was trained on, where its training.json lists them
            as "ct".
    """

    sha256: str
    trained_on: frozenset[str]


def look_at_prior(folder: Path) -> KnownPrior:
    """Load the network of a prior, and say what is known of it.

    Raises:
        JobError: there is none, or it is damaged.
    """
    return KnownPrior(Prior.load(folder).sha256, cts_seen(folder))


def cts_seen(folder: Path) -> frozenset[str]:
    """Names of the CTs that a prior was trained on, by its card; none where that does not say."""
    try:
        listed = json.loads((folder / CARD).read_text(encoding="utf-8")).get("ct", ())
        return frozenset(map(str, listed))
    except (OSError, ValueError, AttributeError, TypeError):
        return frozenset()


def read_priors_map(path: Path, cts: Iterable[str]) -> Mapping[str, str]:
    """The prior of every CT, from a JSON file {"name of the CT": "name or folder of a prior"}.

    A CT's name is that of its file without the ending. Folders are given from that of the JSON file.

    Raises:
        JobError: it cannot be read, or names no prior for one of the CTs.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise JobError(f"The map of priors {path} cannot be read ({error.strerror}); check its path.") from None
    except ValueError as error:
        raise JobError(f"The map of priors {path} is not JSON ({error}); write it anew.") from None
    if not isinstance(values, dict) or not all(isinstance(prior, str) for prior in values.values()):
        raise JobError(f"The map of priors {path} is not a JSON object of CTs and folders; write it anew.")
    for ct in cts:
        if ct not in values:
            raise JobError(f"The map of priors {path} names none for the CT '{ct}'; add it.")
    return {ct: values[ct] if values[ct] in known_priors() else str(path.parent / values[ct]) for ct in cts}
