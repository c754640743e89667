"""Evaluation tasks: one method on one case, and the outcome of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from CTSuperResolutionLib import __version__
from CTSuperResolutionLib.evaluation.cases import EvaluationCase
from CTSuperResolutionLib.job.method import Method


@dataclass(frozen=True)
class EvaluationTask:
    """A method on a case.

    Attributes:
        case: its name. name: of the evaluated method.
        method: with the settings of the evaluated one.
        blur: σ of the case's degradation, in voxels of the reference.
        keep_volume: whether the result itself is wanted, and not only its scores.
        key: of everything that the outcome depends on.
    """

    case: str
    name: str
    method: Method
    blur: float
    keep_volume: bool
    key: str

    def to_json(self) -> str:
        """For :meth:`from_json`."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> EvaluationTask:
        """The task of that text."""
        values = json.loads(text)
        return cls(**{**values, "method": Method(**values["method"])})


@dataclass(frozen=True, eq=False)
class EvaluationOutcome:
    """Outcome of a method on a case.

    Attributes:
        report: ``scores``, ``seconds``, ``peak_mb`` of the whole process before it scores, and ``gpu_peak_mb`` (None on
            a CPU), as plain values.
        plane: the result's slice that figures show, HU, int16.
        volume: the result on the reference's grid, HU, (z, y, x), where it was wanted.
    """

    report: dict[str, Any]
    plane: np.ndarray
    volume: np.ndarray | None = None


def task_key(case: EvaluationCase, name: str, method: Method, *, noise_hu: float, prior_sha256: str | None) -> str:
    """SHA-256 of everything that the outcome of a method depends on."""
    values = {
        "version": __version__,
        "method": name,
        "parameters": asdict(method.parameters),
        "prior": prior_sha256,
        "seed": method.seed,
        "device": method.device,
        "reference": case.digest,
        "scale": case.scale,
        "blur": case.blur,
        "noise_hu": noise_hu,
    }
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
