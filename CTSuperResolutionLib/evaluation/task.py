"""One method on one case: what has to be known to do it, and what comes of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from CTSuperResolutionLib import __version__
from CTSuperResolutionLib.evaluation.cases import Case
from CTSuperResolutionLib.job.job import JobSpec


@dataclass(frozen=True)
class Task:
    """A method on a case.

    Attributes:
        case: its name. method: its name.
        spec: the job, with the method's settings; input and output are not looked at.
        blur: σ of the case's degradation, in voxels of the reference.
        keep_volume: whether the result itself is wanted, and not only its scores.
        key: of everything that the outcome depends on.
    """

    case: str
    method: str
    spec: JobSpec
    blur: float
    keep_volume: bool
    key: str

    def to_json(self) -> str:
        """For :meth:`from_json`."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Task:
        """The task of that text."""
        values = json.loads(text)
        return cls(**{**values, "spec": JobSpec(**values["spec"])})


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a method came to on a case.

    Attributes:
        report: ``scores``, ``seconds``, ``peak_mb`` of the whole process before it scores, and ``gpu_peak_mb`` (None on
            a CPU), as plain values.
        plane: the result's slice that figures show, HU, int16.
        volume: the result on the reference's grid, HU, (z, y, x), where it was wanted.
    """

    report: dict[str, Any]
    plane: np.ndarray
    volume: np.ndarray | None = None


def task_key(case: Case, method: str, spec: JobSpec, *, noise_hu: float, prior_sha256: str | None) -> str:
    """SHA-256 of everything that the outcome of a method depends on."""
    values = {
        "version": __version__,
        "method": method,
        "parameters": asdict(spec.parameters),
        "prior": prior_sha256,
        "seed": spec.seed,
        "device": spec.device,
        "reference": case.digest,
        "scale": case.scale,
        "blur": case.blur,
        "noise_hu": noise_hu,
    }
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
