"""Methods of reconstruction: their names, and how one is asked for. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from CTSuperResolutionLib.errors import JobError, unknown
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.job.parameters import Value
from CTSuperResolutionLib.job.priors import shipped_folder
from CTSuperResolutionLib.reconstruction.settings import Settings

METHODS: Mapping[str, str] = {
    "fdk": "filtered backprojection (FDK of a cone beam)",
    "sart": "SART on subsets of the views",
    "asd-pocs": "SART with total variation (ASD-POCS)",
    "gaussians": "a field of positive Gaussians (R2-Gaussian's recipe)",
    "naf": "a neural attenuation field with hash encoding (NAF)",
    "diffnr": "either of these two, guided by its own slices once a trained network has repaired them (DiffNR)",
}
DEFAULT_METHOD = "gaussians"


@dataclass(frozen=True)
class ReconstructionMethod:
    """How to reconstruct. Making one checks it.

    Attributes:
        name: one of :data:`METHODS`.
        settings: parameters that differ from the defaults, as text or numbers.
        fixer: folder of a trained slice fixer, which diffnr alone has; None for the shipped one.
        seed: of all random numbers. device: "auto", "cpu", "cuda" or "cuda:N".

    Raises:
        JobError: something is not allowed; names the nearest name where one is unknown.
    """

    name: str = DEFAULT_METHOD
    settings: Mapping[str, Value] = field(default_factory=dict)
    fixer: str | None = None
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.name not in METHODS:
            raise unknown("method", self.name, METHODS)
        if self.name != "diffnr" and self.fixer is not None:
            raise JobError(f"The method {self.name} repairs no slices; leave the slice fixer out or choose diffnr.")
        _ = self.parameters, Method(seed=self.seed, device=self.device)

    @property
    def fixer_folder(self) -> Path:
        """Of the slice fixer that diffnr uses."""
        return shipped_folder("SliceFixer") if self.fixer is None else Path(self.fixer)

    @property
    def parameters(self) -> Settings:
        """All parameters."""
        return Settings.of(self.settings)
