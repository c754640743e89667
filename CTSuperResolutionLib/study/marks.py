"""Marks: where readers say that something is invented or missing, how many, and what the reference has there."""

from __future__ import annotations

from typing import Any

import numpy as np

from CTSuperResolutionLib.study.answers import Answers
from CTSuperResolutionLib.volume.reading import read_volume


def marks_of(answers: Answers) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Every mark, and how many there are per image of each method.

    A mark has its voxel (z, y, x), and, where the study has reference images, the image's HU less the reference's there
    ("difference HU", None without).

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
