"""Evaluated methods: one table of all that can be compared. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from CTSuperResolutionLib.errors import JobError, unknown
from CTSuperResolutionLib.job.parameters import Value


@dataclass(frozen=True)
class EvaluatedMethod:
    """One way to a fine volume.

    Attributes:
        help: what it is.
        settings: parameters of the whole method that differ from the preset; None for a baseline, see baselines.
        fit: more of them, where whoever evaluates does not set them otherwise.
    """

    help: str
    settings: Mapping[str, Value] | None
    fit: Mapping[str, Value] = field(default_factory=dict)


VIEWS_ALONE: Mapping[str, Value] = {"slice_gain": 0, "null_space": 1}
# The whole contribution of the prior becomes the residual, and not only what restoring views adds at last.
WHOLE_RESIDUAL: Mapping[str, Value] = {"base": "consistent"}
# And then the presets' fit, which is as short as what is left for it, is too short.
WHOLE_FIT: Mapping[str, Value] = {"views": 60, "gaussians": 30_000, "max_gaussians": 60_000, "iterations": 300}

_TABLE: tuple[tuple[str, str, Mapping[str, Value] | None], ...] = (
    ("trilinear", "trilinear interpolation", None),
    ("cubic", "cubic B-spline interpolation", None),
    ("consistent", "cubic, made to agree with the scan under the known blur", None),
    ("no-prior", "the whole method with the prior left out", {"null_space": 0}),
    ("nab-gs", "the whole method as the preset has it", {}),
    ("residual-prelu", "all that the prior adds reconstructed by NAB-GS", WHOLE_RESIDUAL),
    ("residual-relu", "by Gaussians with ReLU", {**WHOLE_RESIDUAL, "activation": "relu"}),
    ("residual-softplus", "by Gaussians with softplus", {**WHOLE_RESIDUAL, "activation": "softplus"}),
    ("residual-sine", "by Gaussians with a sine", {**WHOLE_RESIDUAL, "activation": "sine"}),
    ("residual-grid", "by least squares on voxels", {**WHOLE_RESIDUAL, "residual": "grid"}),
    ("r2-gs", "Gaussians of positive density as the whole volume", {"base": "none", "activation": "softplus"}),
    (
        "fdk",
        "one filtered backprojection of the restored views",
        {"base": "none", "residual": "grid", "grid_steps": 1},
    ),
    ("views-bilinear", "views upsampled linearly, without the prior", {"view_restoration": "bilinear"}),
    ("views-cubic", "views upsampled by cubic splines, without the prior", {"view_restoration": "cubic"}),
    ("views-ddnm", "views by DDNM, in the same way", {**VIEWS_ALONE, "sigma_y": 0}),
    ("views-ddnm+", "views by DDNM+, one by one, without slices restored before", VIEWS_ALONE),
)
METHODS: dict[str, EvaluatedMethod] = {
    name: EvaluatedMethod(help, settings, WHOLE_FIT if settings and "base" in settings else {})
    for name, help, settings in _TABLE
}
DEFAULT_METHODS = ("trilinear", "cubic", "consistent", "no-prior", "nab-gs")


def parse_methods(text: str) -> tuple[str, ...]:
    """Names of a list such as "cubic,nab-gs", each once.

    Raises:
        JobError: one is not known (names the nearest), or there is none.
    """
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not names:
        raise JobError(f"The list '{text}' names no method; give at least one or leave the list out.")
    for name in names:
        if name not in METHODS:
            raise unknown("method", name, METHODS)
    return names
