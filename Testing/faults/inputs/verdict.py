"""Verdict on what ``read_volume`` made of a file: right, refused in one sentence, or wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from inputs.scan import Scan

AIR, PADDING, CEILING = -1024.0, -1500.0, 32767.0  # as read_volume documents them
PLACE = 1e-3
"""Largest error of a voxel's place, in voxels."""

STRAIGHTENED = 0.1
"""The same where the axes are not quite at right angles, and the nearest ones that are had to be taken."""

VALUE = 1e-3
"""Largest error of a value in HU, beside the rounding of float32."""

Grid = tuple[np.ndarray, np.ndarray, np.ndarray]


def judge(
    answer: dict[str, Any], ours: Path, others: dict[str, Any], theirs: Path, scan: Scan
) -> tuple[str, list[str]]:
    """Right, refused or wrong; and what is wrong.

    Args:
        answer: of the worker that read by ``read_volume``.
        ours: its arrays.
        others: answer of the worker that read by independent readers.
        theirs: its arrays.
        scan: what the files said before they were changed; what they may still be taken for where others refuse them.
    """
    wrong = [f"{key}: {answer[key]}" for key in ("hang", "crash", "error") if key in answer]
    if "noise" in answer:
        wrong.append(f"on the streams stands {answer['noise']!r}")
    if wrong:
        return "wrong", wrong
    if "refused" in answer:
        wrong = _sentence(answer["refused"])
        return ("wrong" if wrong else "refused"), wrong
    (volume,) = _load(ours)
    if not theirs.is_file():
        if not _differences(volume, (scan.array.astype(np.float64), scan.steps, np.array(scan.origin))):
            return "right", []
        return "wrong", [f"taken, where the other reader says {others.get('refused', others)}"]
    found = [_differences(volume, other) for other in _load(theirs)]
    best = min(found, key=len)
    return ("wrong" if best else "right"), best


def _load(path: Path) -> list[Grid]:
    with np.load(path) as file:
        return [(file[f"array{k}"], file[f"steps{k}"], file[f"origin{k}"]) for k in range(len(file.files) // 3)]


def _differences(volume: Grid, other: Grid) -> list[str]:
    array, steps, origin = volume
    values, other_steps, other_origin = other
    if array.shape != values.shape:
        return [f"the shape is {array.shape} and not {values.shape}", "", ""]
    wrong = []
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.array(array.shape[::-1]) - 1)
    with np.errstate(all="ignore"):
        places, due = corners @ steps.T + origin, corners @ other_steps.T + other_origin
        error = np.abs(places - due).max() / np.linalg.norm(steps, axis=0).min()
        hu = np.minimum(np.where(values < PADDING, AIR, values), CEILING)
        off = np.abs(array - hu) > VALUE + 1e-6 * np.abs(hu)
    if not error <= (PLACE if _is_straight(other_steps) else STRAIGHTENED):
        spacings = [np.round(np.linalg.norm(s, axis=0), 4).tolist() for s in (steps, other_steps)]
        wrong.append(
            f"voxels lie {error:.3g} voxels away: spacing {spacings[0]} and not {spacings[1]}, origin "
            f"{origin.round(3).tolist()} and not {np.round(other_origin, 3).tolist()}"
        )
    if off.any() or not np.isfinite(array).all():
        at = tuple(np.argwhere(off)[0]) if off.any() else (0, 0, 0)
        wrong.append(f"{int(off.sum())} of {array.size} values differ, one being {array[at]:g} and not {hu[at]:g}")
    return wrong


def _is_straight(steps: np.ndarray) -> bool:
    """Whether axes are at right angles, but for single precision."""
    cosines = steps / np.linalg.norm(steps, axis=0)
    return bool(np.abs(cosines.T @ cosines - np.eye(3)).max() <= 1e-6)


def _sentence(text: str) -> list[str]:
    if "\n" in text or not text.endswith(".") or re.search(r"[^.]\. [A-Z]", text) or len(text) > 1000:
        return [f"no sentence: {text[:300]!r}"]
    return []
