"""All numbers of the method: what each one is called, means and may be, and what every preset sets it to.

This table is the only place where a default or a limit is written. The pipeline reads the numbers as attributes of
:class:`Parameters`; the command line and the panel read names, limits, units and help from :data:`PARAMETERS`.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

from CTSuperResolutionLib.errors import JobError

PRESET_NAMES = ("preview", "balanced", "paper")
DEFAULT_PRESET = "balanced"

Value = bool | int | float | str


@dataclass(frozen=True)
class Parameter:
    """One number or choice: its name, type, default by preset, limits (both inclusive), unit and one line of help."""

    name: str
    type: type
    group: str
    defaults: Mapping[str, Value]
    low: float | None
    high: float | None
    choices: tuple[str, ...]
    unit: str
    help: str

    def parse(self, value: Any) -> Value:
        """Turn text or a JSON value into this parameter's type.

        Raises:
            JobError: not of the type, or outside the limits.
        """
        if self.choices:
            if value not in self.choices:
                raise unknown(self.name, value, self.choices)
            return value
        if self.type is bool:
            known = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False}
            parsed = {**known, "0": False}.get(str(value).strip().lower())
            if parsed is None:
                raise JobError(f"The parameter {self.name} is on or off, not '{value}'.")
            return parsed
        return self._parse_number(value)

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
    group: str, preview: float, balanced: float, paper: float, *, low: float, high: float, unit: str = "", help: str
) -> Any:
    table = {"group": group, "defaults": (preview, balanced, paper), "low": low, "high": high, "unit": unit}
    return field(default=balanced, metadata={**table, "choices": (), "help": help})


def _choice(group: str, preview: str, balanced: str, paper: str, *, choices: tuple[str, ...], help: str) -> Any:
    table = {"group": group, "defaults": (preview, balanced, paper), "low": None, "high": None, "unit": ""}
    return field(default=balanced, metadata={**table, "choices": choices, "help": help})


# What only tells in more than one denoising step, and the value that it has otherwise.
SEVERAL_STEPS = {"adaptive_frontal": 0, "adaptive_lateral": 0, "time_travel": 1, "eta": 0}


@dataclass(frozen=True)
class Parameters:
    """Every number of one job. The three values behind a name are those of preview, balanced and paper."""

    # fmt: off
    hu_low: float = _number(
        "scanner", -1024, -1024, -512, low=-1024, high=-100, unit="HU",
        help="What counts as empty; the paper clips at -512 HU, which leaves lungs to the cubic upsampling.")
    hu_high: float = _number(
        "scanner", 3071, 3071, 3071, low=500, high=32767, unit="HU",
        help="What counts as densest; anything above is left to the cubic upsampling.")
    blur: float = _number(
        "scanner", 1.0, 1.0, 1.0, low=0, high=10, unit="output voxels",
        help="Standard deviation of the scanner's Gaussian blur; an axis gets at most a quarter of its factor.")
    damping: float = _number(
        "scanner", 0.1, 0.1, 0.1, low=0.001, high=1,
        help="Least damping of the sharpening, raised where the scan is noisier: it stops at a gain of 1/(2 damping).")
    kernel: str = _choice(
        "scanner", "lanczos", "lanczos", "lanczos", choices=("lanczos", "mean"),
        help="How the scan samples the fine grid: a Lanczos-5 sinc after the blur, or the paper's mean over blocks.")
    geometry: str = _choice(
        "views", "parallel", "parallel", "parallel", choices=("parallel", "cone"),
        help="Beam of the simulated projections; cone is the paper's.")
    views: int = _number(
        "views", 24, 60, 100, low=4, high=1000,
        help="Projections simulated over half a turn.")
    ddim_steps: int = _number(
        "prior", 1, 1, 50, low=1, high=1000,
        help="Denoising steps of the diffusion sampler.")
    start_step: int = _number(
        "prior", 0, 0, 999, low=0, high=999,
        help="Diffusion step to start from: 999 is pure noise, lower keeps more of the upsampled view, 0 all.")
    adaptive_frontal: float = _number(
        "prior", 0, 0, 0, low=0, high=1000,
        help="How far a frontal view may move before its start counts as too noisy (paper: 5); 0 for both is off.")
    adaptive_lateral: float = _number(
        "prior", 0, 0, 0, low=0, high=1000,
        help="The same for a lateral view (paper: 6.5), with views between by the sine of their angle.")
    time_travel: int = _number(
        "prior", 1, 1, 1, low=1, high=100,
        help="How often every denoising step is done, going back in time in between; 1 is straight on.")
    eta: float = _number(
        "prior", 0.0, 0.0, 0.99, low=0, high=1,
        help="Share of fresh noise in every denoising step; 0 is deterministic.")
    sigma_y: float = _number(
        "prior", 0.001, 0.001, 0.001, low=0, high=1, unit="of full scale",
        help="Noise that the sampler expects in the scan's own projections.")
    slice_gain: float = _number(
        "prior", 1.0, 1.5, 0.0, low=0, high=3,
        help="How much of what the prior sees in the volume's slices goes into the volume before it is projected.")
    slice_axes: int = _number(
        "prior", 1, 3, 3, low=1, high=3,
        help="Along how many axes the prior looks at slices, coarsest first; 3 average away what a single one invents.")
    samples: int = _number(
        "prior", 1, 1, 1, low=1, high=1000,
        help="Samples drawn of every view; their mean is used, and their spread is written as an uncertainty map.")
    restorer: str = _choice(
        "prior", "ddnm+", "ddnm+", "ddnm+", choices=("ddnm+", "ddnm", "cubic", "bilinear", "none"),
        help="What super-resolves the views: the prior by DDNM+ or DDNM, plain interpolation, or nothing.")
    null_space: float = _number(
        "prior", 0.1, 0.1, 1.0, low=0, high=1,
        help="Share of what the prior adds to the views that is kept; 0 leaves the prior out, slices included.")
    gaussians: int = _number(
        "gaussians", 8_000, 30_000, 50_000, low=100, high=5_000_000,
        help="Gaussians that the field starts with.")
    max_gaussians: int = _number(
        "gaussians", 20_000, 60_000, 500_000, low=100, high=5_000_000,
        help="Most Gaussians that the field may grow to.")
    iterations: int = _number(
        "gaussians", 150, 300, 5_000, low=1, high=100_000,
        help="Optimisation steps of the Gaussian field.")
    views_per_step: int = _number(
        "gaussians", 2, 2, 1, low=1, high=100,
        help="Projections that an optimisation step looks at.")
    start: str = _choice(
        "gaussians", "residual", "residual", "edges", choices=("residual", "edges"),
        help="Where Gaussians start: at the residual of a least-squares volume, or as the paper has it at edges.")
    shape_rate: float = _number(
        "gaussians", 10, 10, 1, low=0.01, high=100, unit="of R2-Gaussian's",
        help="Learning rate of positions, scales and rotations; 1 suits thousands of iterations.")
    density_rate: float = _number(
        "gaussians", 0.3, 0.3, 1, low=0.01, high=100, unit="of R2-Gaussian's",
        help="Learning rate of densities.")
    lambda_ssim: float = _number(
        "gaussians", 0.5, 0.5, 0.5, low=0, high=10,
        help="Weight of structural similarity between projections in the loss.")
    lambda_tv: float = _number(
        "gaussians", 0.05, 0.05, 0.05, low=0, high=10,
        help="Weight of total variation of the volume in the loss.")
    carrier: str = _choice(
        "gaussians", "gaussians", "gaussians", "gaussians", choices=("gaussians", "grid", "fdk"),
        help="What takes the views into the volume: Gaussians, least squares on voxels, or filtered backprojection.")
    base: str = _choice(
        "gaussians", "restored", "restored", "cubic", choices=("restored", "consistent", "cubic", "none"),
        help="What the Gaussians add to: the volume with its slices restored, only made consistent, cubic, or nothing.")
    activation: str = _choice(
        "gaussians", "prelu", "prelu", "prelu", choices=("prelu", "softplus", "relu", "sine"),
        help="From raw to drawn densities; softplus and relu have no negative ones.")
    densify_every: int = _number(
        "gaussians", 50, 100, 100, low=1, high=100_000, unit="iterations",
        help="How often the field is refined (clone, split, prune), during the first half of the fit.")
    densify_gradient: float = _number(
        "gaussians", 5e-5, 5e-5, 5e-5, low=0, high=1,
        help="Mean gradient of a position from which a Gaussian is cloned or split.")
    gamma: float = _number(
        "gaussians", 0.1, 0.1, 0.1, low=1e-6, high=1,
        help="Starting slope of the prelu activation for negative densities.")
    consistency_rounds: int = _number(
        "result", 12, 12, 12, low=1, high=100,
        help="How often the result is made to agree with the scan and kept within the HU that matter can have.")
    # fmt: on

    @property
    def uses_prior(self) -> bool:
        """Whether the diffusion prior is asked at all."""
        return self.restorer in ("ddnm+", "ddnm") and self.null_space > 0

    @property
    def has_uncertainty(self) -> bool:
        """Whether several samples are drawn, and their spread is a result."""
        return self.uses_prior and self.samples > 1

    @classmethod
    def of(cls, preset: str, settings: Mapping[str, Value] = MappingProxyType({})) -> Parameters:
        """The numbers of a preset with some of them set otherwise.

        Raises:
            JobError: unknown preset or parameter (names the nearest), or values that do not go together.
        """
        if preset not in PRESET_NAMES:
            raise unknown("preset", preset, PRESET_NAMES)
        chosen = {name: parameter.defaults[preset] for name, parameter in PARAMETERS.items()}
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
        JobError: there is none; names the nearest.
    """
    if name not in PARAMETERS:
        raise unknown("parameter", name, PARAMETERS)
    return PARAMETERS[name]


def unknown(kind: str, name: object, known: Iterable[str], *, more: str = "") -> JobError:
    """The error for a name that is not among the known ones: it names the nearest."""
    known = list(known)
    nearest = difflib.get_close_matches(str(name).lower(), known, n=1, cutoff=0.0)[0]
    others = f" (known: {', '.join(known)})" if 1 < len(known) <= 6 else ""
    return JobError(f"There is no {kind} '{name}'; the nearest is '{nearest}'{others}{more}.")


def _describe(entry: Any) -> Parameter:
    kind = {"int": int, "float": float, "str": str, "bool": bool}[entry.type]
    table = dict(entry.metadata)
    defaults = dict(zip(PRESET_NAMES, map(kind, table.pop("defaults")), strict=True))
    return Parameter(name=entry.name, type=kind, defaults=defaults, **table)


PARAMETERS: dict[str, Parameter] = {entry.name: _describe(entry) for entry in fields(Parameters)}
PRESETS: dict[str, Parameters] = {name: Parameters.of(name) for name in PRESET_NAMES}
