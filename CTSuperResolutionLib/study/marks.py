"""Marks: where readers say that something is invented or missing, how many, and what the reference has there, and what
the image has beyond what was measured.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.ndimage as ndi

from CTSuperResolutionLib.study.answers import Answer, Answers
from CTSuperResolutionLib.volume.reading import read_volume
from CTSuperResolutionLib.volume.volume import Volume

NEAR_MM = 2.0
"""How far from a mark what was added is looked for: a click is no closer."""

AIR_HU = -950.0
"""Below, nothing is added that anyone sees."""


def marks_of(answers: Answers) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Every mark, and how many there are per image of each method.

    A mark has its voxel (z, y, x), and, where the study has reference images, the image's HU less the reference's there
    ("difference HU", None without). Where the case has what was measured, it has the image's HU less those, where that
    is largest within NEAR_MM ("added HU"), and the median of its size in such surroundings over the image's voxels that
    are no air ("typical added HU"); None without.

    Raises:
        JobError: an image cannot be read.
    """
    study, key = answers.study, answers.key
    of_case = {image["case"]: name for name, image in key.images.items() if image["method"] == key.reference}
    volumes: dict[str, np.ndarray] = {}

    def hu(name: str, voxel: tuple[int, ...]) -> float:
        if name not in volumes:
            if len(volumes) == 2:  # one image and its reference at a time
                volumes.clear()
            volumes[name] = read_volume(study.image_path(name), allow_unusual=True).array
        return float(volumes[name][voxel])

    added: dict[str, tuple[np.ndarray, np.ndarray, float]] = {}

    def beyond(answer: Answer, voxel: tuple[int, int, int]) -> tuple[float | None, float | None]:
        if answer.case not in key.measured:
            return None, None
        name = answer.trial.images[0]
        if name not in added:
            added.clear()  # one image at a time
            image = read_volume(study.image_path(name), allow_unusual=True)
            measured = read_volume(key.measured[answer.case], allow_unusual=True)
            added[name] = _beyond(image, measured)
        difference, near, typical = added[name]
        place = tuple(slice(max(v - r, 0), v + r + 1) for v, r in zip(voxel, np.array(near.shape) // 2, strict=True))
        around = difference[place][_cut(near, voxel, difference.shape)]
        return float(around[np.abs(around).argmax()]), typical

    marks, counts = [], []
    for task in study.tasks.values():
        if task.kind != "marking":
            continue
        looks = answers.of(task, "main")
        for answer in looks:
            for mark in answer.values["marks"]:
                z, y, x = (min(max(round(v), 0), n - 1) for v, n in zip(mark["voxel"], answer.trial.shape, strict=True))
                difference = None
                if answer.case in of_case:
                    difference = hu(answer.trial.images[0], (z, y, x)) - hu(of_case[answer.case], (z, y, x))
                most, typical = beyond(answer, (z, y, x))
                marks.append(
                    {
                        "task": task.name,
                        "reader": answer.reader,
                        "case": answer.case,
                        "method": answer.method,
                        "kind": mark["kind"],
                        "z": z,
                        "y": y,
                        "x": x,
                        "difference HU": difference,
                        "added HU": most,
                        "typical added HU": typical,
                    }
                )
        for method in key.methods:
            ours = [answer for answer in looks if answer.method == method]
            for kind in ("invented", "missing"):
                count = sum(m["kind"] == kind for answer in ours for m in answer.values["marks"])
                if ours:
                    counts.append(
                        {
                            "task": task.name,
                            "method": method,
                            "kind": kind,
                            "images read": len(ours),
                            "marks": count,
                            "marks an image": count / len(ours),
                        }
                    )
    return marks, counts


def _beyond(image: Volume, measured: Volume) -> tuple[np.ndarray, np.ndarray, float]:
    """What an image has beyond what was measured, HU (z, y, x); the voxels within NEAR_MM; and what is typical."""
    difference = image.array - measured.array
    radii = [int(NEAR_MM / spacing) for spacing in image.spacing]
    steps = np.ogrid[tuple(slice(-radius, radius + 1) for radius in radii)]
    distances = [(step * spacing) ** 2 for step, spacing in zip(steps, image.spacing, strict=True)]
    near = distances[0] + distances[1] + distances[2] <= NEAR_MM**2
    largest = ndi.maximum_filter(np.abs(difference), footprint=near, mode="nearest")
    body = measured.array > AIR_HU
    return difference, near, float(np.median(largest[body])) if body.any() else 0.0


def _cut(near: np.ndarray, voxel: tuple[int, ...], shape: tuple[int, ...]) -> np.ndarray:
    """The part of a neighbourhood that lies in the image."""
    radii = np.array(near.shape) // 2
    parts = zip(voxel, radii, shape, strict=True)
    return near[tuple(slice(max(r - v, 0), r + min(r, n - 1 - v) + 1) for v, r, n in parts)]
