"""What can be compared: one table. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from CTSuperResolutionLib.job.errors import JobError
from CTSuperResolutionLib.job.parameters import Value, unknown


@dataclass(frozen=True)
class Method:
    """One way to a fine volume.

    Attributes:
        help: what it is.
        settings: parameters of the whole method that differ from the preset; None: a baseline, see baselines.
    """

    help: str
    settings: Mapping[str, Value] | None


METHODS: dict[str, Method] = {
    "trilinear": Method("trilinear interpolation", None),
    "cubic": Method("cubic B-spline interpolation", None),
    "consistent": Method("cubic, made to agree with the scan under the known blur", None),
    "no-prior": Method("the whole method with the prior left out", {"null_space": 0}),
    "nab-gs": Method("the whole method as the preset has it", {}),
    "nab-gs-softplus": Method("with softplus for the density activation", {"activation": "softplus"}),
    "nab-gs-relu": Method("with ReLU for the density activation", {"activation": "relu"}),
    "nab-gs-sine": Method("with a sine for the density activation", {"activation": "sine"}),
    "r2-gs": Method("Gaussians of positive density as the whole volume", {"activation": "softplus", "base": "none"}),
    "grid": Method("least squares on voxels in place of the Gaussians", {"carrier": "grid"}),
    "fdk": Method("one filtered backprojection of the restored views", {"base": "none", "carrier": "fdk"}),
    "views-bilinear": Method("views upsampled linearly, without the prior", {"restorer": "bilinear"}),
    "views-cubic": Method("views upsampled by cubic splines, without the prior", {"restorer": "cubic"}),
    "views-ddnm": Method("views by DDNM instead of DDNM+", {"restorer": "ddnm"}),
    "views-alone": Method("views that never meet: the prior sees neither volume nor slices", {"meetings": 0}),
}
DEFAULT_METHODS = ("trilinear", "cubic", "consistent", "no-prior", "nab-gs")


def parse_methods(text: str) -> tuple[str, ...]:
    """Names of a list such as "cubic,nab-gs", each once.

    Raises:
        JobError: one is not known (names the nearest), or there is none.
    """
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not names:
        raise JobError(f"The list '{text}' names no method; give at least one or leave --methods out.")
    for name in names:
        if name not in METHODS:
            raise unknown("method", name, METHODS)
    return names
