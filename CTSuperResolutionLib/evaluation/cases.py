"""Evaluation cases: a case is a CT at a scale, the reference and its simulated scan in a file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from CTSuperResolutionLib.volume.volume import Volume


@dataclass(frozen=True)
class EvaluationCase:
    """A reference and the scan that was simulated from it, in a file.

    Attributes:
        ct: name of the CT's file, without its ending. scale: as a job has it, "4" or "4,1,1".
        blur: σ of the scan's blur, in voxels of the reference.
        shape: of the reference, voxels, (z, y, x).
        digest: SHA-256 of the reference.
        path: what :func:`load_volume` reads.
    """

    ct: str
    scale: str
    blur: float
    shape: tuple[int, int, int]
    digest: str
    path: Path

    @property
    def name(self) -> str:
        """Name of the files of the case."""
        return case_name(self.ct, self.scale)


def case_name(ct: str, scale: str) -> str:
    """Name of the case of a CT at a scale."""
    return f"{ct}-{scale.replace(',', 'x')}"


def save_case(ct: str, scale: str, reference: Volume, scan: Volume, *, blur: float, folder: Path) -> EvaluationCase:
    """Write the volumes of a case into a folder."""
    path = folder / f"{case_name(ct, scale)}.npz"
    values: dict[str, Any] = {}
    for name, volume in (("reference", reference), ("scan", scan)):
        values[name] = volume.array
        values[f"{name}_grid"] = np.array([*volume.spacing, *volume.origin, *volume.direction])
    np.savez(path, **values)
    grid = repr((reference.shape, reference.spacing)).encode()
    digest = hashlib.sha256(grid + reference.array.tobytes()).hexdigest()
    return EvaluationCase(ct, scale, blur, reference.shape, digest, path)


def load_volume(file: Path | IO[bytes], name: str) -> Volume:
    """The volume "reference" or "scan" of a saved case, from its path or its open file."""
    with np.load(file) as values:
        grid = values[f"{name}_grid"].tolist()
        return Volume(values[name], tuple(grid[:3]), tuple(grid[3:6]), tuple(grid[6:]))
