"""Reading of CT volumes from NRRD, MetaImage and NIfTI files and from folders of DICOM slices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from CTSuperResolutionLib.errors import AcceptUnusual, Advice, JobError
from CTSuperResolutionLib.job.region import Slices
from CTSuperResolutionLib.volume import checks, dicom
from CTSuperResolutionLib.volume.acquisition_tags import stack_axis
from CTSuperResolutionLib.volume.dicom_pixels import read_pixels
from CTSuperResolutionLib.volume.dicom_slice import Slice
from CTSuperResolutionLib.volume.geometry import grid_geometry
from CTSuperResolutionLib.volume.image_header import ImageHeader, MalformedHeaderError, damaged
from CTSuperResolutionLib.volume.metaimage import read_metaimage
from CTSuperResolutionLib.volume.native_output import captured_stderr
from CTSuperResolutionLib.volume.nifti import read_nifti
from CTSuperResolutionLib.volume.nrrd import read_nrrd
from CTSuperResolutionLib.volume.padding import stated_padding
from CTSuperResolutionLib.volume.scan_source import Plane, ScanSource, sentences
from CTSuperResolutionLib.volume.stack import stack
from CTSuperResolutionLib.volume.untilting import Untilting, shifts_of_shear, upright_geometry
from CTSuperResolutionLib.volume.volume import Volume
from CTSuperResolutionLib.volume.voxel_data import BrokenDataError, VoxelData, open_plain

FORMATS: dict[str, tuple[str, Callable[[Path], ImageHeader]]] = {
    ".nrrd": ("NRRD", read_nrrd),
    ".nhdr": ("NRRD", read_nrrd),
    ".mha": ("MetaImage", read_metaimage),
    ".mhd": ("MetaImage", read_metaimage),
    ".nii": ("NIfTI", read_nifti),
    ".nii.gz": ("NIfTI", read_nifti),
}
"""What a file's ending says: the format's name, and what reads its header."""


def read_volume(
    path: Path | str,
    *,
    series: str | int | None = None,
    allow_unusual: bool = False,
    untilt: bool = False,
    region: Slices | None = None,
    note: Callable[[str], None] = lambda message: None,
) -> Volume:
    """Read a CT, or a region of it, and check that it can be worked on.

    What no scanner measured (padding, masks, saturated metal) is marked in the volume's ``valid``; padding becomes
    -1024. Values above 32767 become that. The geometry is that of the file, reflections included; the geometry of
    DICOM slices comes from their own positions.

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
        allow_unusual: go on with a modality or a spacing that are not those of a CT, and with values that are no HU,
            in their own range; see :class:`.ValueScale`.
        untilt: shift slices that are displaced sideways, as by a tilted gantry, to a straight grid.
        region: voxels along (z, y, x) to read; no others are held.
        note: told sentences that the user should see.

    Returns:
        HU, (z, y, x) float32.

    Raises:
        JobError: it cannot be read or worked on; the message says what to do.
    """
    source = open_scan(path, series=series, allow_unusual=allow_unusual, untilt=untilt)
    return source.read(region, note)


def open_scan(
    path: Path | str, *, series: str | int | None = None, allow_unusual: bool = False, untilt: bool = False
) -> ScanSource:
    """A CT's header: its grid and what it says of its acquisition, without its voxels.

    Args:
        path, series, allow_unusual, untilt: see :func:`read_volume`.

    Raises:
        JobError: it cannot be worked on; the message says what to do.
    """
    path = Path(path)
    with sentences(path):
        checks.check_name(path)
        if path.is_dir():
            with captured_stderr():
                return _open_series(path, None if series is None else str(series), allow_unusual, untilt)
        return _open_file(path, series, allow_unusual, untilt)


def _open_series(folder: Path, wanted: str | None, allow_unusual: bool, untilt: bool) -> ScanSource:
    choice = dicom.find_series(folder).choose(wanted)
    series = choice.series
    name = f"Series {series.number} in {folder}"
    if series.modality not in ("", "CT") and not allow_unusual:
        raise JobError(f"{name} is {series.modality} and not CT", Advice("choose a CT series"), AcceptUnusual())
    grid = stack(choice, untilt=untilt)
    _check_rescale(name, grid.slices, allow_unusual)
    rows, columns = grid.slices[0].size
    shape = (len(grid.slices), rows, columns)
    checks.check_shape(name, shape)
    checks.check_spacing(name, grid.geometry.spacing[::-1], allow_unusual=allow_unusual)
    return ScanSource(
        name,
        shape,
        grid.geometry,
        lambda start, stop: _dicom_planes(grid.slices[start:stop]),
        untilting=None if grid.shifts is None else Untilting(grid.shifts, (rows, columns)),
        acquisition=grid.acquisition,
        notes=(*choice.notes, *grid.acquisition.contradictions),
        allow_unusual=allow_unusual,
    )


def _check_rescale(name: str, slices: tuple[Slice, ...], allow_unusual: bool) -> None:
    """All slices of a series say, or none does, what their values mean, and that is HU."""
    stated = [s.rescale.stated for s in slices]
    usual = max(set(stated), key=lambda kind: (stated.count(kind), kind))
    if odd := [s for s in slices if s.rescale.stated != usual]:
        raise JobError(
            f"{name} has {len(odd)} of {len(slices)} slices, such as {odd[0].path.name}, that do not say what their "
            "values mean as the others do (rescale slope and intercept); export the series again."
        )
    if any(s.rescale.slope == 0 for s in slices):
        raise JobError(f"{name} states a rescale slope of 0, so its values mean nothing; export the series again.")
    kinds = sorted({s.rescale.type for s in slices} - {"", "HU", "US"})
    if kinds and not allow_unusual:
        raise JobError(
            f"{name} does not hold Hounsfield units but values of type {kinds[0]}",
            Advice("choose a series of Hounsfield units"),
            AcceptUnusual(),
        )


def _dicom_planes(slices: tuple[Slice, ...]) -> Iterator[Plane]:
    for part in slices:
        values = read_pixels(part.path)
        ends = part.rescale.padding_values
        yield Plane(values, None if ends is None else stated_padding(values, *ends))


def _open_file(path: Path, series: str | int | None, allow_unusual: bool, untilt: bool) -> ScanSource:
    ending = next((e for e in FORMATS if path.name.lower().endswith(e)), None)
    with open_plain(path) as file:
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
    format_name, read_header = FORMATS[ending]
    try:
        return _source_of_file(path, format_name, read_header(path), allow_unusual, untilt)
    except MalformedHeaderError as error:
        if str(error):
            raise JobError(f"{path} {error}; save it again.") from error
        raise damaged(path, format_name) from error
    except BrokenDataError as error:
        raise damaged(path, format_name) from error


def _source_of_file(path: Path, format_name: str, header: ImageHeader, allow_unusual: bool, untilt: bool) -> ScanSource:
    checks.check_kind(path, len(header.sizes), header.components)
    checks.check_spacing(path, header.spacing, allow_unusual=allow_unusual)
    data, axes = header.data, header.axes
    assert data is not None and axes is not None, "a volume of one value in a voxel has both"
    checks.check_shape(path, data.shape)
    checks.check_finite_place(path, np.column_stack([axes, header.origin]))
    data.require_whole()
    geometry, untilting = grid_geometry(axes, header.origin, data.shape), None
    if geometry is None:
        geometry = upright_geometry(axes, header.origin, data.shape)
        if geometry is None or not untilt:
            raise checks.sheared(path, untiltable=geometry is not None)
        slices, rows, columns = data.shape
        untilting = Untilting(shifts_of_shear(axes, geometry, slices), (rows, columns))
    acquisition = header.acquisition.consistent(geometry.spacing[stack_axis(geometry.spacing)])
    return ScanSource(
        str(path),
        data.shape,
        geometry,
        lambda start, stop: _file_planes(path, format_name, data, start, stop),
        untilting=untilting,
        acquisition=acquisition,
        notes=(*header.notes, *acquisition.contradictions),
        allow_unusual=allow_unusual,
    )


def _file_planes(path: Path, format_name: str, data: VoxelData, start: int, stop: int) -> Iterator[Plane]:
    try:
        for values in data.planes(start, stop):
            yield Plane(values)
    except BrokenDataError as error:
        raise damaged(path, format_name) from error
