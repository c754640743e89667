"""Reading of CT volumes from NRRD, MetaImage and NIfTI files and from folders of DICOM slices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from CTSuperResolutionLib.errors import AcceptUnusual, Advice, JobError
from CTSuperResolutionLib.volume import checks, dicom
from CTSuperResolutionLib.volume.headers import damaged, read_header
from CTSuperResolutionLib.volume.native_output import captured_stderr
from CTSuperResolutionLib.volume.stack import stack
from CTSuperResolutionLib.volume.volume import Volume

FORMATS = {
    ".nrrd": ("NRRD", "NrrdImageIO"),
    ".nhdr": ("NRRD", "NrrdImageIO"),
    ".mha": ("MetaImage", "MetaImageIO"),
    ".mhd": ("MetaImage", "MetaImageIO"),
    ".nii": ("NIfTI", "NiftiImageIO"),
    ".nii.gz": ("NIfTI", "NiftiImageIO"),
}
"""What a file's ending says: the format's name, and ITK's reader for it."""


def read_volume(path: Path | str, *, series: str | int | None = None, allow_unusual: bool = False) -> Volume:
    """Read a CT and check that it can be worked on.

    Values below -1500 HU (padding) become -1024, values above 32767 become that. The geometry is what ITK makes of
    the file, reflections included; the geometry of DICOM slices comes from their own positions.

    >>> import tempfile
    >>> from CTSuperResolutionLib.volume.writing import write_volume
    >>> hu = np.linspace(-1000, 1000, 8 * 16 * 16, dtype=np.float32).reshape(8, 16, 16)
    >>> scan = Volume(hu, spacing=(2.5, 0.7, 0.7), origin=(0, 0, 0), direction=(1, 0, 0, 0, 1, 0, 0, 0, 1))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_volume(scan, Path(folder, "scan.nrrd"))
    ...     read_volume(Path(folder, "scan.nrrd")).spacing
    (2.5, 0.7, 0.7)

    Args:
        path: a NRRD, MetaImage (.mha, .mhd) or NIfTI file, or a folder with DICOM slices in it or below it.
        series: the DICOM series, by number, UID or the end of its UID; needed where there are several.
        allow_unusual: go on with values, a modality or a spacing that are not those of a CT.

    Returns:
        HU, (z, y, x) float32. Reading holds at most two float copies and the file's own.

    Raises:
        JobError: it cannot be read or worked on; the message says what to do.
    """
    path = Path(path)
    checks.check_name(path)
    try:
        if path.is_dir():
            with captured_stderr():
                volume = _read_dicom(path, series, allow_unusual)
        else:
            volume = _read_file(path, series, allow_unusual)
    except OSError as error:
        place = error.filename or path
        raise JobError(
            f"{place} cannot be read ({error.strerror or error}); check that it is there and that you may read it."
        ) from error
    except MemoryError as error:
        raise JobError(f"{path} does not fit into memory; crop it, or use a machine with more.") from error
    checks.check_values(path, volume.array, allow_unusual=allow_unusual)
    volume.array[volume.array < checks.PADDING_HU] = checks.AIR_HU
    np.minimum(volume.array, checks.CEILING_HU, out=volume.array)
    return volume


def _read_dicom(folder: Path, wanted: str | int | None, allow_unusual: bool) -> Volume:
    series = dicom.choose_series(folder, dicom.find_series(folder), None if wanted is None else str(wanted))
    if series.modality not in ("", "CT") and not allow_unusual:
        raise JobError(
            f"Series {series.number} in {folder} is {series.modality} and not CT",
            Advice("choose a CT series"),
            AcceptUnusual(),
        )
    grid = stack(series)
    name = f"Series {series.number} in {folder}"
    shape = (len(grid.slices), *grid.slices[0].size)
    checks.check_shape(name, shape)
    checks.check_spacing(name, grid.spacing[::-1], allow_unusual=allow_unusual)
    array = np.empty(shape, dtype=np.float32)
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetOutputPixelType(sitk.sitkFloat32)
    for target, part in zip(array, grid.slices, strict=True):
        reader.SetFileName(str(part.path))
        try:  # GDCM applies each slice's own rescale slope and intercept
            image = reader.Execute()
        except RuntimeError as error:
            raise dicom.damaged(part.path) from error
        target[...] = sitk.GetArrayViewFromImage(image)[0]  # a view, valid while the image lives
    return Volume(array, grid.spacing, grid.origin, grid.direction)


def _read_file(path: Path, series: str | int | None, allow_unusual: bool) -> Volume:
    ending = next((e for e in FORMATS if path.name.lower().endswith(e)), None)
    with path.open("rb") as file:
        empty = not file.read(1)
    if empty:
        raise JobError(f"{path} is empty; copy or save it again.")
    if ending is None:
        if dicom.is_dicom(path):
            raise JobError(f"{path} is a single DICOM file; give the folder that holds the whole series.")
        raise JobError(
            f"{path} is not of a type that can be read; give a NRRD, MHA or NIfTI file, or a folder of DICOM slices."
        )
    if series is not None:
        raise JobError(f"A series can be chosen only in a DICOM folder, and {path} is a file; leave the series out.")
    format_name, image_io = FORMATS[ending]
    with captured_stderr() as complaints:
        image = _read_image(path, format_name, image_io, allow_unusual)
        # MetaIO goes on with garbage where the compressed data are damaged, but says so.
        if "Uncompress failed" in complaints():
            raise damaged(path, format_name)
    return Volume(
        sitk.GetArrayFromImage(image), image.GetSpacing()[::-1], tuple(image.GetOrigin()), tuple(image.GetDirection())
    )


def _read_image(path: Path, format_name: str, image_io: str, allow_unusual: bool) -> sitk.Image:
    """Read by ITK as float32, once the header has passed the checks; ITK alone hides nonsense in it."""
    header = read_header(path)
    reader = sitk.ImageFileReader()
    reader.SetImageIO(image_io)
    reader.SetFileName(str(path))
    failure = None
    try:
        reader.ReadImageInformation()
        checks.check_kind(path, reader.GetDimension(), reader.GetNumberOfComponents())
    except RuntimeError as error:
        failure = error
        checks.check_kind(path, header.dimension or 3, 2 if "Complex" in str(error) else 1)
    if failure is None or header.spacing is not None:
        checks.check_spacing(path, header.spacing, allow_unusual=allow_unusual)
    if failure is None:
        checks.check_shape(path, reader.GetSize()[::-1])
        checks.check_direction(path, reader.GetOrigin(), reader.GetDirection())
        reader.SetOutputPixelType(sitk.sitkFloat32)
        try:
            return reader.Execute()
        except RuntimeError as error:
            failure = error
    if "orthonormal" in str(failure) or "determinant is 0" in str(failure):
        raise checks.sheared(path) from failure
    if "Failed to allocate memory" in str(failure) or "bad alloc" in str(failure).lower():
        raise MemoryError from failure
    raise damaged(path, format_name) from failure
