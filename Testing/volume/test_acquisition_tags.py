"""Acquisition tags in the key/value pairs of a NRRD file, and those that cannot be."""

from __future__ import annotations

import json

import numpy as np
import pytest

from CTSuperResolutionLib.volume.acquisition_tags import AcquisitionTags, MeasuredWidth, stack_axis
from CTSuperResolutionLib.volume.reading import open_scan, read_volume
from CTSuperResolutionLib.volume.volume import Volume
from CTSuperResolutionLib.volume.writing import write_volume


@pytest.fixture
def save(tmp_path):
    """save(entries): a scan of slices 2 mm apart with key/value pairs."""

    def write(entries):
        hu = np.random.default_rng(0).integers(-1000, 1000, (10, 12, 12)).astype(np.float32)
        scan = Volume(hu, (2.0, 1.0, 1.0), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
        write_volume(scan, tmp_path / "scan.nrrd", metadata=entries)
        return tmp_path / "scan.nrrd"

    return write


def test_a_nrrd_file_says_what_the_dicom_series_did(save):
    path = save({"DICOM.SliceThickness": "2.5", "DICOM.SpacingBetweenSlices": "2", "DICOM.ConvolutionKernel": "a:=\\n"})
    tags = read_volume(path).acquisition
    assert tags.stated == {"slice_thickness": 2.5, "spacing_between_slices": 2.0, "convolution_kernel": "a:=\\n"}


@pytest.mark.parametrize(
    ("entries", "notes"),
    [
        ({"DICOM.SliceThickness": "0"}, ["thickness of 0 mm"]),
        ({"DICOM.SliceThickness": "-1"}, ["thickness of -1 mm"]),
        ({"DICOM.SliceThickness": "6.1"}, ["thickness of 6.1 mm"]),
        ({"DICOM.SpacingBetweenSlices": "-2"}, ["spacing between slices of -2 mm"]),
        ({"DICOM.SliceThickness": "0", "DICOM.SpacingBetweenSlices": "7"}, ["of 0 mm", "of 7 mm"]),
        ({"DICOM.SliceThickness": "nan"}, []),
        ({"DICOM.SliceThickness": "thick"}, []),
        ({"DICOM.SliceThickness": ""}, []),
    ],
)
def test_what_cannot_be_is_left_out_and_said(save, entries, notes):
    told = []
    tags = read_volume(save(entries), note=told.append).acquisition
    assert tags.stated == {}
    assert len(told) == len(notes) and all(part in note for part, note in zip(notes, told, strict=True))


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (1, 2, 0)], ids=["axial", "coronal", "sagittal"])
def test_the_slices_of_a_turned_scan_are_those_that_the_header_speaks_of(order, tmp_path):
    spacing = tuple((5.0, 0.7, 0.7)[axis] for axis in order)
    hu = np.random.default_rng(0).integers(-1000, 1000, (12, 12, 12)).astype(np.float32)
    scan = Volume(hu, spacing, (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    stated = {"DICOM.SliceThickness": "5", "DICOM.SpacingBetweenSlices": "5"}
    write_volume(scan, tmp_path / "scan.nrrd", metadata=stated)
    told = []
    tags = read_volume(tmp_path / "scan.nrrd", note=told.append).acquisition
    assert tags.stated == {"slice_thickness": 5.0, "spacing_between_slices": 5.0} and not told
    assert stack_axis(spacing) == order.index(0)


def test_overlapping_slices_and_voxels_that_are_no_pixels_follow_along_z_unless_pixels_lie_otherwise():
    assert stack_axis((0.5, 0.7, 0.7)) == 0
    assert stack_axis((0.7, 0.7, 0.5)) == 2
    assert stack_axis((1.0, 1.0, 1.0)) == 0
    assert stack_axis((0.5, 0.9, 0.8)) == 0


def test_slices_that_do_not_agree_are_said_to():
    tags = AcquisitionTags.of_slices([AcquisitionTags(1.0), AcquisitionTags(2.0)], 1.0)
    assert tags.stated == {} and "one thickness" in tags.contradictions[0]
    assert AcquisitionTags.of_slices([AcquisitionTags(), AcquisitionTags()], 1.0).contradictions == ()


def test_a_part_says_what_was_measured_in_the_whole(save):
    slices = {"family": "triangle", "fwhm_mm": 4.5, "error_mm": 0.2, "profiles": 700}
    path = save({"CTSR_measured": json.dumps({"z": slices, "y": None, "x": None})})
    assert open_scan(path).acquisition.measured == (MeasuredWidth("triangle", 4.5, 0.2, 700), None, None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "7",
        "[]",
        '{"z": null}',
        '{"z": 3, "y": null, "x": null}',
        '{"z": {"family": "sinc", "fwhm_mm": 4, "error_mm": 0.1, "profiles": 9}, "y": null, "x": null}',
        '{"z": {"family": "box", "fwhm_mm": -4, "error_mm": 0.1, "profiles": 9}, "y": null, "x": null}',
        '{"z": {"family": "box", "fwhm_mm": NaN, "error_mm": 0.1, "profiles": 9}, "y": null, "x": null}',
        '{"z": {"family": "box", "fwhm_mm": 4, "error_mm": 0.1, "profiles": Infinity}, "y": null, "x": null}',
        "[" * 5000,
    ],
)
def test_an_entry_that_is_no_measurement_says_nothing(save, text):
    assert open_scan(save({"CTSR_measured": text})).acquisition.measured is None
