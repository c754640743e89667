"""What can be compared: one table. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from CTSuperResolutionLib.errors import JobError
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


VIEWS_ALONE: Mapping[str, Value] = {"slice_gain": 0, "null_space": 1}
METHODS: dict[str, Method] = {
    "trilinear": Method("trilinear interpolation", None),
    "cubic": Method("cubic B-spline interpolation", None),
    "consistent": Method("cubic, made to agree with the scan under the known blur", None),
    "no-prior": Method("the whole method with the prior left out", {"null_space": 0}),
    "nab-gs": Method("the whole method as the preset has it", {}),
    # What carries the prior's whole contribution into the volume, and not only what its last look at views adds.
    "carry-prelu": Method("all that the prior adds carried by NAB-GS", {"base": "consistent"}),
    "carry-relu": Method("by Gaussians with ReLU", {"base": "consistent", "activation": "relu"}),
    "carry-softplus": Method("by Gaussians with softplus", {"base": "consistent", "activation": "softplus"}),
    "carry-sine": Method("by Gaussians with a sine", {"base": "consistent", "activation": "sine"}),
    "carry-grid": Method("by least squares on voxels", {"base": "consistent", "carrier": "grid"}),
    "r2-gs": Method("Gaussians of positive density as the whole volume", {"base": "none", "activation": "softplus"}),
    "fdk": Method("one filtered backprojection of the restored views", {"base": "none", "carrier": "fdk"}),
    "views-bilinear": Method("views upsampled linearly, without the prior", {"restorer": "bilinear"}),
    "views-cubic": Method("views upsampled by cubic splines, without the prior", {"restorer": "cubic"}),
    "views-ddnm": Method("views by DDNM, in the same way", {**VIEWS_ALONE, "restorer": "ddnm"}),
    "views-ddnm+": Method("views by DDNM+, one by one, without the prior's look at slices", VIEWS_ALONE),
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
