"""Parameters of the method: name, meaning, limits and audience of every number, and what every preset sets it to.

This table is the only place where a default or a limit is written. The pipeline reads the numbers as attributes of
:class:`Parameters`; the command line and the panel read names, limits, units and help from :data:`PARAMETERS`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Literal

from CTSuperResolutionLib.errors import JobError, unknown

PRESETS: Mapping[str, str] = MappingProxyType(
    {
        "preview": "the quickest",
        "balanced": "nearly the best that was measured",
        "best": "every slice in eight orientations, several times as long as balanced",
        "paper": "the paper's settings, to compare with: many times slower than balanced and, as measured, worse",
    }
)
"""The presets and what each is for, from the quickest to the slowest."""

PRESET_NAMES = tuple(PRESETS)
DEFAULT_PRESET = "balanced"

Value = int | float | str
Audience = Literal["user", "ablation"]
"""Audience of a parameter: those who super-resolve a scan, or those who compare parts of the method with others."""


@dataclass(frozen=True)
class Parameter:
    """One number or choice: its name, type, audience, default by preset, limits (inclusive), unit and line of help."""

    name: str
    type: type
    group: str
    audience: Audience
    defaults: Mapping[str, Value]
    low: float
    high: float
    choices: tuple[str, ...]
    unit: str
    help: str

    def parse(self, value: Any) -> Value:
        """Turn text or a JSON value into this parameter's type.

        Raises:
            JobError: not of the type, or outside the limits.
        """
        if not self.choices:
            return self._parse_number(value)
        if value not in self.choices:
            raise unknown(self.name, value, self.choices)
        return value

    def _parse_number(self, value: Any) -> int | float:
        kind = "a whole number" if self.type is int else "a number"
        if isinstance(value, bool):
            raise JobError(f"The parameter {self.name} is {kind}, not '{value}'.")
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            raise JobError(f"The parameter {self.name} is {kind}, not '{value}'.") from None
        if not math.isfinite(number) or (self.type is int and number != int(number)):
            raise JobError(f"The parameter {self.name} is {kind}, not '{value}'.")
        if not self.low <= number <= self.high:
            raise JobError(f"The parameter {self.name} lies between {self.low:g} and {self.high:g}, not at {number:g}.")
        return self.type(number)


def _number(
    group: str,
    presets: tuple[float, float, float],
    limits: tuple[float, float],
    help: str,
    *,
    unit: str = "",
    audience: Audience = "user",
    best: float | None = None,
) -> Any:
    low, high = limits
    preview, balanced, paper = presets
    defaults = preview, balanced, balanced if best is None else best, paper
    table = {"group": group, "defaults": defaults, "low": low, "high": high, "choices": (), "unit": unit, "help": help}
    return field(default=balanced, metadata={**table, "audience": audience})


def _choice(
    group: str, presets: tuple[str, str, str], choices: tuple[str, ...], help: str, *, audience: Audience = "ablation"
) -> Any:
    preview, balanced, paper = presets
    defaults = preview, balanced, balanced, paper
    table = {"group": group, "defaults": defaults, "low": -math.inf, "high": math.inf, "choices": choices, "unit": ""}
    return field(default=balanced, metadata={**table, "help": help, "audience": audience})


# What only tells in more than one denoising step, and the value that it has otherwise.
SEVERAL_STEPS = {"adaptive_frontal": 0, "adaptive_lateral": 0, "time_travel": 1, "eta": 0}


@dataclass(frozen=True)
class Parameters:
    """Every number of one method.

    The three values behind a name are those of preview, balanced and paper; best has that of balanced, or its own.
    """

    # fmt: off
    hu_low: float = _number(
        "scanner", (-1024, -1024, -512), (-1024, -100), unit="HU",
        help="What counts as empty; the paper clips at -512 HU, which leaves lungs to the cubic upsampling.")
    hu_high: float = _number(
        "scanner", (3071, 3071, 3071), (500, 32767), unit="HU",
        help="What counts as densest; anything above is left to the cubic upsampling.")
    psf: str = _choice(
        "scanner", ("measured", "measured", "mean"), audience="user",
        choices=("measured", "gaussian", "triangle", "box", "lanczos", "mean"),
        help="The scan's point-spread function: as its own edges show, of a family, or the paper's protocols.")
    slice_width: float = _number(
        "scanner", (0, 0, 0), (0, 50), unit="mm",
        help="Width of the slice profile at half its height; 0: as measured.")
    pixel_width: float = _number(
        "scanner", (0, 0, 0), (0, 50), unit="mm",
        help="Width of the point-spread function within slices at half its height; 0: as measured.")
    blur: float = _number(
        "scanner", (1.0, 1.0, 1.0), (0, 10), unit="output voxels", audience="ablation",
        help="Deviation of the Gaussian of psf=lanczos; an axis gets at most a quarter of its factor.")
    damping: float = _number(
        "scanner", (0.1, 0.1, 0.1), (0.001, 1),
        help="Least damping of the sharpening, raised where the scan is noisier: it stops at a gain of 1/(2 damping).")
    geometry: str = _choice(
        "views", ("parallel", "parallel", "cone"), choices=("parallel", "cone"),
        help="Beam of the simulated projections; cone is the paper's.")
    views: int = _number(
        "views", (24, 24, 100), (4, 1000),
        help="Projections simulated over half a turn.")
    view_restoration: str = _choice(
        "views", ("ddnm+", "ddnm+", "ddnm+"), choices=("ddnm+", "cubic", "bilinear"),
        help="What restores the views: the prior by DDNM+ (DDNM with sigma_y=0), or plain interpolation.")
    network: str = _choice(
        "prior", ("quick", "full", "full"), choices=("quick", "full"), audience="user",
        help="Which network of the prior is asked: its own, or a smaller one where it has one.")
    ddim_steps: int = _number(
        "prior", (1, 1, 50), (1, 1000),
        help="Denoising steps of the diffusion sampler.")
    start_step: int = _number(
        "prior", (0, 0, 999), (0, 999),
        help="Diffusion step to start from: 999 is pure noise, lower keeps more of the upsampled view, 0 all.")
    adaptive_frontal: float = _number(
        "prior", (0, 0, 0), (0, 1000), audience="ablation",
        help="How far a frontal view may move before its start counts as too noisy (paper: 5); 0 for both is off.")
    adaptive_lateral: float = _number(
        "prior", (0, 0, 0), (0, 1000), audience="ablation",
        help="The same for a lateral view (paper: 6.5), with views between by the sine of their angle.")
    time_travel: int = _number(
        "prior", (1, 1, 1), (1, 100), audience="ablation",
        help="Resampling (RePaint): how often every denoising step is done, going back in between; 1 is straight on.")
    eta: float = _number(
        "prior", (0.0, 0.0, 0.99), (0, 1), audience="ablation",
        help="Share of fresh noise in every denoising step; 0 is deterministic.")
    sigma_y: float = _number(
        "prior", (0.001, 0.001, 0.001), (0, 1), unit="of full scale", audience="ablation",
        help="Noise that the sampler expects in the scan's own projections; with 0, DDNM+ is DDNM.")
    slice_gain: float = _number(
        "prior", (1.0, 1.0, 0.0), (0, 3),
        help="How much of what the prior adds to the volume's slices goes into the volume before it is projected.")
    slice_axes: int = _number(
        "prior", (1, 3, 3), (1, 3),
        help="Axes along which slices are restored, coarsest first; 3 average away what a single one invents.")
    adapt: int = _number(
        "prior", (0, 120, 0), (0, 10_000), unit="steps",
        help="How long the prior learns from the slices of a scan that is refined along one axis; 0: not at all.")
    slice_orientations: int = _number(
        "prior", (1, 1, 1), (1, 8), best=8,
        help="Turned and mirrored orientations in which every slice is restored; the mean errs less.")
    samples: int = _number(
        "prior", (1, 1, 1), (1, 1000),
        help="Samples drawn of every view; their mean is used, and their spread is written as an uncertainty map.")
    null_space: float = _number(
        "prior", (0.1, 0.1, 1.0), (0, 1),
        help="Share of what the prior adds to the views that is kept; 0 leaves the prior out, slices included.")
    residual: str = _choice(
        "gaussians", ("gaussians", "gaussians", "gaussians"), choices=("gaussians", "grid"),
        help="What the residual volume is reconstructed with: Gaussians, or least squares on voxels.")
    grid_steps: int = _number(
        "gaussians", (3, 3, 3), (1, 100), audience="ablation",
        help="Steps of least squares where residual is grid; a single one is filtered backprojection.")
    gaussians: int = _number(
        "gaussians", (8_000, 8_000, 50_000), (100, 5_000_000),
        help="Gaussians that the field starts with.")
    max_gaussians: int = _number(
        "gaussians", (20_000, 20_000, 500_000), (100, 5_000_000),
        help="Most Gaussians that the field may grow to.")
    iterations: int = _number(
        "gaussians", (30, 30, 5_000), (1, 100_000),
        help="Optimisation steps of the Gaussian field.")
    views_per_step: int = _number(
        "gaussians", (2, 2, 1), (1, 100), audience="ablation",
        help="Projections that an optimisation step looks at.")
    start: str = _choice(
        "gaussians", ("residual", "residual", "edges"), choices=("residual", "edges"),
        help="Where Gaussians start: at the residual of a least-squares volume, or as the paper has it at edges.")
    shape_rate: float = _number(
        "gaussians", (10, 10, 1), (0.01, 100), unit="of R2-Gaussian's", audience="ablation",
        help="Learning rate of positions, scales and rotations; 1 suits thousands of iterations.")
    density_rate: float = _number(
        "gaussians", (0.3, 0.3, 1), (0.01, 100), unit="of R2-Gaussian's", audience="ablation",
        help="Learning rate of densities.")
    lambda_ssim: float = _number(
        "gaussians", (0.5, 0.5, 0.5), (0, 10), audience="ablation",
        help="Weight of structural similarity between projections in the loss.")
    lambda_tv: float = _number(
        "gaussians", (0.05, 0.05, 0.05), (0, 10), audience="ablation",
        help="Weight of total variation of the volume in the loss.")
    base: str = _choice(
        "gaussians", ("restored", "restored", "cubic"), choices=("restored", "consistent", "cubic", "none"),
        help="What the Gaussians add to: the volume with its slices restored, only made consistent, cubic, or nothing.")
    activation: str = _choice(
        "gaussians", ("prelu", "prelu", "prelu"), choices=("prelu", "softplus", "relu", "sine"),
        help="From raw to rendered densities; softplus and relu have no negative ones.")
    densify_every: int = _number(
        "gaussians", (100, 100, 100), (1, 100_000), unit="iterations", audience="ablation",
        help="How often the field is refined (clone, split, prune), during the first half of the fit.")
    densify_gradient: float = _number(
        "gaussians", (5e-5, 5e-5, 5e-5), (0, 1), audience="ablation",
        help="Mean gradient of a position from which a Gaussian is cloned or split.")
    gamma: float = _number(
        "gaussians", (0.1, 0.1, 0.1), (1e-6, 1), audience="ablation",
        help="Starting slope of the prelu activation for negative densities.")
    consistency_rounds: int = _number(
        "result", (12, 12, 12), (1, 100), audience="ablation",
        help="Rounds of data consistency: the result is made to agree with the scan and kept within the HU of matter.")
    measured: str = _choice(
        "result", ("yes", "yes", "yes"), choices=("yes", "no"), audience="user",
        help="Whether what the scan supports without a prior is written too: the result less that is what was added.")
    error: str = _choice(
        "result", ("no", "no", "no"), choices=("yes", "no"), audience="user",
        help="Whether the error is written too that 9 of 10 voxels keep within, of thick slices: tested on the scan.")
    # fmt: on

    @property
    def uses_prior(self) -> bool:
        """Whether the diffusion prior is asked at all."""
        return self.view_restoration == "ddnm+" and self.null_space > 0

    @property
    def has_uncertainty(self) -> bool:
        """Whether several samples are drawn, and their spread is a result."""
        return self.uses_prior and self.samples > 1

    @property
    def has_measured(self) -> bool:
        """Whether what the scan supports without a prior is a result."""
        return self.measured == "yes"

    @property
    def has_error(self) -> bool:
        """Whether how large the error may be is a result, of scans of which that can be found out."""
        return self.error == "yes"

    @classmethod
    def of(cls, preset: str, settings: Mapping[str, Value] = MappingProxyType({})) -> Parameters:
        """The numbers of a preset with some of them set otherwise.

        Raises:
            JobError: unknown preset or parameter, or values that do not go together.
        """
        if preset not in PRESET_NAMES:
            quickest = PRESET_NAMES[0]
            raise unknown("preset", preset, PRESET_NAMES, more=f", of which {quickest} is {PRESETS[quickest]}")
        chosen: dict[str, Any] = {name: parameter.defaults[preset] for name, parameter in PARAMETERS.items()}
        chosen.update({name: find_parameter(name).parse(value) for name, value in settings.items()})
        numbers = cls(**chosen)
        if numbers.gaussians > numbers.max_gaussians:
            raise JobError(
                f"The field starts with {numbers.gaussians} Gaussians but may only have {numbers.max_gaussians}; "
                "lower gaussians or raise max_gaussians."
            )
        if numbers.ddim_steps > numbers.start_step + 1:
            raise JobError(
                f"{numbers.ddim_steps} denoising steps do not fit below diffusion step {numbers.start_step}; "
                "lower ddim_steps or raise start_step."
            )
        idle = [name for name in SEVERAL_STEPS if name in settings and getattr(numbers, name) != SEVERAL_STEPS[name]]
        if idle and numbers.ddim_steps == 1:
            raise JobError(f"{idle[0]} does nothing in a single denoising step; set ddim_steps and start_step as well.")
        if numbers.samples > 1 and not numbers.uses_prior:
            raise JobError("Several samples are all the same without the prior; set samples to 1, or keep the prior.")
        if numbers.samples > 1 and not numbers.start_step:
            raise JobError(
                "Several samples from start_step 0 would all be the same, for it draws no noise; "
                "set start_step to 1 or more, such as 10."
            )
        return numbers


def find_parameter(name: str) -> Parameter:
    """The parameter of that name.

    Raises:
        JobError: there is none; names the nearest, or all.
    """
    if name not in PARAMETERS:
        raise unknown("parameter", name, PARAMETERS)
    return PARAMETERS[name]


def _describe(entry: Any) -> Parameter:
    kind = {"int": int, "float": float, "str": str}[entry.type]
    table = dict(entry.metadata)
    defaults = dict(zip(PRESET_NAMES, map(kind, table.pop("defaults")), strict=True))
    return Parameter(name=entry.name, type=kind, defaults=defaults, **table)


PARAMETERS: dict[str, Parameter] = {entry.name: _describe(entry) for entry in fields(Parameters)}
