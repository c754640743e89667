"""Status of a Python environment: whether it can run jobs, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from CTSuperResolutionPanel.install.requirements import name_of


@dataclass(frozen=True)
class EnvironmentStatus:
    """Whether a Python can run jobs, and if not, what is the matter.

    Attributes:
        python: its executable.
        ready: a job can run.
        missing: what pip has to install, as pip takes it. Of those, ``broken`` are half there and have to go first.
        problem: what is wrong, or could be better though a job can run; a sentence.
        fix: what to do about it where an installation cannot; a sentence.
        installable: an installation can be begun now.
        cuda: there is an NVIDIA GPU, so that torch has to be the build for CUDA.
        replaces_torch: torch is there and has to be another build: it is for the CPU only although there is a GPU, or
            it was not built for that GPU.
        unfit_torch: the latter.
        size_gb: about how much is downloaded.
        disk_gb: about how much it takes once installed.
        answer: what that Python said of itself, {} where it said nothing.
    """

    python: Path
    ready: bool = False
    missing: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    problem: str = ""
    fix: str = ""
    installable: bool = False
    cuda: bool = False
    replaces_torch: bool = False
    unfit_torch: bool = False
    size_gb: float = 0.0
    disk_gb: float = 0.0
    answer: Mapping[str, Any] = field(default_factory=dict)

    @property
    def needs_torch(self) -> bool:
        """Whether torch is among what has to be installed."""
        return any(name_of(requirement) == "torch" for requirement in self.missing)
