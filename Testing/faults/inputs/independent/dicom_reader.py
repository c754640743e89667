"""DICOM series, by pydicom and the standard's own formula for the place of a pixel (PS3.3, C.7.6.2.1.1)."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pydicom

from inputs.independent.reading import Reading, Unreadable

USUAL = {"PhotometricInterpretation": "MONOCHROME2", "SamplesPerPixel": 1, "PixelRepresentation": 0}
"""What a file means that does not say."""


def read(folder: Path) -> list[Reading]:
    """What the one series of a folder says: its slices lie along their normal, or from the first place to the last.

    Copies of a file count once.
    """
    warnings.simplefilter("ignore")
    slices: dict[bytes, pydicom.Dataset] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            content = path.read_bytes()
            if content and (content[128:132] == b"DICM" or content[:1] == b"\x08"):
                slices.setdefault(content, pydicom.dcmread(path, force=True))
    # A scout view is no slice, wherever it lies.
    slices = {content: data for content, data in slices.items() if "LOCALIZER" not in (data.get("ImageType") or ())}
    if not all("PixelData" in data for data in slices.values()):
        raise Unreadable("no pixels")
    series = {str(data.get("SeriesInstanceUID", "")).strip() for data in slices.values()}
    if len(series) != 1 or len(slices) < 2:
        raise Unreadable(f"{len(series)} series, {len(slices)} slices")
    datasets = list(slices.values())
    row, column = np.reshape([float(v) for v in datasets[0].ImageOrientationPatient], (2, 3))
    normal = np.cross(row, column)
    datasets.sort(key=lambda data: float(np.dot(_position(data), normal)))
    between_rows, between_columns = map(float, datasets[0].PixelSpacing)
    heights = [float(np.dot(_position(data), normal)) for data in datasets]
    step = (heights[-1] - heights[0]) / (len(heights) - 1)
    values, first, last = np.stack([_values(d) for d in datasets]), _position(datasets[0]), _position(datasets[-1])
    return [
        Reading(values, np.column_stack([row * between_columns, column * between_rows, way]), first)
        for way in (normal * step, (last - first) / (len(datasets) - 1))
    ]


def _position(data: pydicom.Dataset) -> np.ndarray:
    return np.array([float(v) for v in data.ImagePositionPatient])


def _values(data: pydicom.Dataset) -> np.ndarray:
    for tag, value in USUAL.items():
        if data.get(tag) in (None, ""):
            setattr(data, tag, value)
    if data.PhotometricInterpretation not in ("MONOCHROME1", "MONOCHROME2"):
        raise Unreadable("not grey")
    slope, intercept = data.get("RescaleSlope"), data.get("RescaleIntercept")
    pixels = data.pixel_array.astype(np.float64)
    if pixels.ndim != 2:
        raise Unreadable("several images in one")
    return pixels * (1.0 if slope is None else float(slope)) + (0.0 if intercept is None else float(intercept))
