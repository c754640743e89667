"""Fixtures of the volume room's tests: a small scan, a DICOM writer, and the one-sentence rule."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from CTSuperResolutionLib.cli.wording import error_sentence
from CTSuperResolutionLib.errors import JobError

SHAPE = (9, 12, 10)


@pytest.fixture
def hu() -> np.ndarray:
    """A small scan (z, y, x), int16 HU, no two slices alike."""
    return np.random.default_rng(0).integers(-1000, 1500, SHAPE).astype(np.int16)


@pytest.fixture
def job_error() -> Callable[..., AbstractContextManager[None]]:
    """``with job_error("part", ...)``: a JobError of one line and one sentence comes, with all parts in it."""

    @contextmanager
    def expect(*parts: str) -> Iterator[None]:
        with pytest.raises(JobError) as caught:
            yield
        message = error_sentence(caught.value)  # as the command line words it
        assert "\n" not in message
        assert message.endswith(".") and not re.search(r"[^.]\. [A-Z]", message), message
        for part in parts:
            assert part in message, message

    return expect


@pytest.fixture
def save_slice() -> Callable[..., pydicom.Dataset]:
    """``save_slice(path, k, pixels, uid, **tags)`` writes one CT slice; a tag that is None is left out."""

    def save(path: Path, k: int, pixels: np.ndarray, uid: str = "1.2.826.1", **tags: object) -> pydicom.Dataset:
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = tags.get("SOPClassUID", CTImageStorage)
        meta.MediaStorageSOPInstanceUID = tags.get("SOPInstanceUID", generate_uid())
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
        rows, columns = pixels.shape[-2:]
        values = dict(
            SOPClassUID=meta.MediaStorageSOPClassUID, SOPInstanceUID=meta.MediaStorageSOPInstanceUID,
            StudyInstanceUID="1.2.3", SeriesInstanceUID=uid, SeriesNumber=3, SeriesDescription="Thorax 1.25 mm",
            Modality="CT", InstanceNumber=k + 1, Rows=rows, Columns=columns, PixelSpacing=[0.7, 0.8],
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0], ImagePositionPatient=[-1.5, 2.5, 1.25 * k],
            SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2", BitsAllocated=16, BitsStored=16, HighBit=15,
            PixelRepresentation=0, RescaleIntercept=-1024, RescaleSlope=1,
            PixelData=(pixels.astype(np.int32) + 1024).astype("<u2").tobytes(),
        )  # fmt: skip
        for tag, value in (values | tags).items():
            if value is not None:
                setattr(data, tag, value)
        path.parent.mkdir(parents=True, exist_ok=True)
        data.save_as(path, enforce_file_format=True)
        return data

    return save


@pytest.fixture
def save_series(save_slice) -> Callable[..., list[Path]]:
    """``save_series(folder, hu, uid, positions=..., **tags)`` writes a series in shuffled file order."""

    def save(folder: Path, hu: np.ndarray, uid: str = "1.2.826.1", positions=None, **tags: object) -> list[Path]:
        names = np.random.default_rng(1).permutation(len(hu))
        paths = [folder / f"IM{n:04d}" for n in names]
        for k, path in enumerate(paths):
            if positions is not None:
                tags["ImagePositionPatient"] = [f"{p:.10g}" for p in positions[k]]
            save_slice(path, k, hu[k], uid, **tags)
        return paths

    return save
