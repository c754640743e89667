"""Folders of DICOM slices: the right series, in the right order and place, or the sentence that says why not."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydicom.uid import JPEG2000Lossless, RLELossless

from CTSuperResolutionLib.volume.reading import open_scan, read_volume

AXIAL = [1, 0, 0, 0, 1, 0]


def line(count: int, step=(0.0, 0.0, 1.25), start=(-1.5, 2.5, -40.0)) -> np.ndarray:
    """Positions of evenly spaced slices."""
    return np.array(start) + np.arange(count)[:, None] * np.array(step)


def test_values_and_geometry(tmp_path, hu, save_series, capfd):
    save_series(tmp_path, hu, positions=line(9))
    volume = read_volume(tmp_path)
    assert np.array_equal(volume.array, hu)
    assert volume.spacing == pytest.approx((1.25, 0.7, 0.8))
    assert volume.origin == pytest.approx((-1.5, 2.5, -40))
    assert volume.direction == pytest.approx((1, 0, 0, 0, 1, 0, 0, 0, 1))
    assert capfd.readouterr() == ("", "")


def test_files_from_the_top_down(tmp_path, hu, save_series):
    """Positions decide, not file names or instance numbers."""
    save_series(tmp_path, hu, positions=line(9, step=(0, 0, -1.25)))
    volume = read_volume(tmp_path)
    assert np.array_equal(volume.array, hu[::-1])
    assert volume.origin == pytest.approx((-1.5, 2.5, -50))


@pytest.mark.parametrize(
    "orientation",
    [
        AXIAL,
        [0, 1, 0, 0, 0, -1],  # sagittal
        [-1, 0, 0, 0, 1, 0],  # mirrored rows: the normal points down
        [0.9689124, 0.2474040, 0, -0.2474040, 0.9689124, 0],
    ],
)
def test_same_as_itks_series_reader(tmp_path, hu, save_series, orientation):
    normal = np.cross(orientation[:3], orientation[3:])
    save_series(tmp_path, hu, positions=line(9, step=2.5 * normal), ImageOrientationPatient=orientation)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path)))
    image = reader.Execute()
    volume = read_volume(tmp_path)
    assert np.array_equal(volume.array, sitk.GetArrayFromImage(image))
    assert np.allclose(volume.spacing, image.GetSpacing()[::-1], rtol=0, atol=1e-6)
    assert np.allclose(volume.origin, image.GetOrigin(), rtol=0, atol=1e-6)
    assert np.allclose(volume.direction, image.GetDirection(), rtol=0, atol=1e-6)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=15)
@given(st.integers(8, 14), st.floats(0.3, 8), st.floats(-1500, 1500))
@example(14, 0.35, 0.05)
def test_rounded_positions_are_no_gaps(tmp_path, save_series, count, step, start):
    """Scanners that write positions in tenths of a millimetre are read, and the spacing is right on average."""
    folder = tmp_path / f"{count} {step} {start}"
    hu = np.full((count, 8, 8), -100)
    hu[:, 0, 0] = range(count)
    positions = line(count, step=(0, 0, step), start=(0, 0, start)).round(1)
    save_series(folder, hu, positions=positions)
    volume = read_volume(folder)
    assert volume.array[:, 0, 0].tolist() == list(range(count))
    assert volume.spacing[0] == pytest.approx(step, abs=0.1 / (count - 1) + 1e-6)


def test_each_slice_has_its_own_rescale(tmp_path, hu, save_slice):
    for k, pixels in enumerate(hu):
        slope = (1, 0.5, 2)[k % 3]
        stored = ((pixels.astype(np.int32) + 1024 + k) / slope).astype("<u2")
        save_slice(tmp_path / f"{k}", k, pixels, RescaleSlope=slope, RescaleIntercept=-1024 - k,
                   PixelData=stored.tobytes())  # fmt: skip
    assert abs(read_volume(tmp_path).array - hu).max() < 2


def test_compressed_slices(tmp_path, hu, save_series, save_slice):
    for k, pixels in enumerate(hu):
        data = save_slice(tmp_path / f"{k}", k, pixels)
        data.compress(RLELossless)
        data.save_as(tmp_path / f"{k}")
    assert np.array_equal(read_volume(tmp_path).array, hu)


def test_other_files_hidden_files_and_copies_are_passed_over(tmp_path, hu, save_series, save_slice):
    paths = save_series(tmp_path / "ST0" / "SE0", hu)
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "again").write_bytes(paths[3].read_bytes())
    (tmp_path / "README.txt").write_text("hello")
    (tmp_path / "VERSION").write_text("")
    (tmp_path / "viewer.exe").write_bytes(np.random.default_rng(0).bytes(100_000))
    (tmp_path / "zeros.bin").write_bytes(bytes(100_000))
    (tmp_path / "._IM0001.dcm").write_bytes(b"\0\5\x16\7" * 100)
    save_slice(tmp_path / ".trash" / "x", 0, hu[0], uid="1.2.9")
    save_slice(tmp_path / "ST0" / ".x.dcm", 0, hu[0], uid="1.2.9")
    no_image = {"PixelData": None, "Rows": None, "Columns": None}
    save_slice(tmp_path / "RS.dcm", 0, hu[0], uid="1.2.8", SOPClassUID="1.2.840.10008.5.1.4.1.1.481.3", **no_image)
    assert np.array_equal(read_volume(tmp_path).array, hu)


@pytest.fixture
def three_series(tmp_path, hu, save_series):
    """A study: a scout, a thorax, and a thorax of other size."""
    save_series(tmp_path / "a", hu[:1], "1.2.826.11111111", SeriesNumber=1, SeriesDescription="Scout")
    save_series(tmp_path / "b", hu, "1.2.826.22222222", SeriesNumber=2)
    save_series(tmp_path / "c", hu[:, :8, :9], "1.2.826.33333333", SeriesNumber=602, SeriesDescription="Lunge ü",
                SpecificCharacterSet="ISO_IR 100")  # fmt: skip
    return tmp_path


def test_several_series_are_listed(three_series, job_error):
    with job_error(
        "holds 3 series; choose one with --series N",
        '1 ("Scout", 1 slice of 10 x 12, UID ...11111111)',
        '2 ("Thorax 1.25 mm", 9 slices of 10 x 12, UID ...22222222)',
        '602 ("Lunge ü", 9 slices of 9 x 8, UID ...33333333)',
    ):
        read_volume(three_series)


@pytest.mark.parametrize("wanted", ["602", 602, "1.2.826.33333333", "33333333", "...33333333", " 602 "])
def test_series_by_number_or_uid(three_series, hu, wanted):
    assert np.array_equal(read_volume(three_series, series=wanted).array, hu[:, :8, :9])


@pytest.mark.parametrize("wanted", ["3", "02", "333", "1.2.826", ""])
def test_series_that_is_not_there(three_series, wanted, job_error):
    with job_error(f'no series "{wanted}"', "choose one with --series N", "602"):
        read_volume(three_series, series=wanted)


def test_a_wrong_choice_of_one(tmp_path, hu, save_series, job_error):
    save_series(tmp_path, hu)
    assert read_volume(tmp_path, series=3).shape == hu.shape
    with job_error('no series "1"', "3 ("):
        read_volume(tmp_path, series=1)


@pytest.mark.parametrize("number", [7, None])
def test_without_numbers_of_their_own_series_are_counted(tmp_path, hu, save_series, number, job_error):
    save_series(tmp_path / "a", hu, "1.2.826.22222222", SeriesNumber=number)
    save_series(tmp_path / "b", hu + 1, "1.2.826.11111111", SeriesNumber=number)
    with job_error("1 (", "11111111", "2 (", "22222222"):
        read_volume(tmp_path)
    assert np.array_equal(read_volume(tmp_path, series=2).array, hu)


def test_single_file(tmp_path, hu, save_series, job_error):
    path = save_series(tmp_path, hu)[0]
    with job_error("is a single DICOM file", "folder"):
        read_volume(path)


def test_no_dicom(tmp_path, job_error):
    with job_error("holds no DICOM images"):
        read_volume(tmp_path)
    (tmp_path / "a.txt").write_text("hello")
    with job_error("holds no DICOM images"):
        read_volume(tmp_path)


@pytest.mark.parametrize("lost", [[4], [4, 5], [2, 6]])
def test_gaps(tmp_path, hu, save_series, lost, job_error):
    kept = [k for k in range(9) if k not in lost]
    save_series(tmp_path, hu[kept], positions=line(9)[kept])
    plural = "slice:" if len(lost) == 1 else "slices:"
    with job_error(f"Series 3 lacks about {len(lost)} {plural} after slice {lost[0]} of {len(kept)}", "not 1.25 mm"):
        read_volume(tmp_path)


@pytest.mark.parametrize("step", [0.05, 0.2])
def test_gaps_between_thin_slices(tmp_path, hu, save_series, step, job_error):
    """The allowance for rounded positions hides none."""
    kept = [0, 1, 2, 3, 5, 6, 7, 8]
    save_series(tmp_path, hu[kept], positions=line(9, step=(0, 0, step))[kept])
    with job_error("lacks about 1 slice: after slice 4 of 8"):
        read_volume(tmp_path)


def test_two_spacings(tmp_path, hu, save_series, job_error):
    positions = line(9)
    positions[5:, 2] += 0.4 * np.arange(1, 5)
    save_series(tmp_path, hu, positions=positions)
    with job_error("unevenly spaced slices, 1.25 to 1.65 mm apart"):
        read_volume(tmp_path)


def test_two_phases_at_one_place(tmp_path, hu, save_series, job_error):
    save_series(tmp_path / "a", hu, positions=line(9))
    save_series(tmp_path / "b", hu + 1, positions=line(9))
    with job_error("has 9 slices at the place of another", "phases"):
        read_volume(tmp_path)


def test_gantry_tilt(tmp_path, hu, save_series, job_error):
    tilt = np.radians(15)
    save_series(tmp_path, hu, positions=line(9), ImageOrientationPatient=[1, 0, 0, 0, np.cos(tilt), np.sin(tilt)])
    with job_error("gantry tilt of 15.0 degrees", "straighten"):
        read_volume(tmp_path)


def test_oblique_slices_without_tilt_are_fine(tmp_path, hu, save_series):
    tilt = np.radians(15)
    positions = line(9, step=(0, -2 * np.sin(tilt), 2 * np.cos(tilt)))
    orientation = [1, 0, 0, 0, np.cos(tilt), np.sin(tilt)]
    save_series(tmp_path, hu, positions=positions, ImageOrientationPatient=orientation)
    assert read_volume(tmp_path).spacing[0] == pytest.approx(2)


def test_table_that_moved(tmp_path, hu, save_series, job_error):
    positions = line(9)
    positions[5:, 0] += 5
    save_series(tmp_path, hu, positions=positions)
    with job_error("shifted sideways by up to 5 mm"):
        read_volume(tmp_path)


CHANGES = {
    "orientation": ({"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}, ["mixes several slice orientations"]),
    "pixel spacing": ({"PixelSpacing": [0.7, 0.75]}, ["mixes several pixel spacings"]),
    "no position": ({"ImagePositionPatient": None}, ["IM", "states no slice position"]),
    "no orientation": ({"ImageOrientationPatient": None}, ["IM", "states no slice position, orientation"]),
    "no spacing": ({"PixelSpacing": None}, ["IM", "pixel spacing"]),
    "colour": (
        dict(SamplesPerPixel=3, PhotometricInterpretation="RGB", BitsAllocated=8, BitsStored=8, HighBit=7,
             PlanarConfiguration=0, PixelData=bytes(360)),
        ["colour or vector image with 3 values"],
    ),
    "frames": ({"NumberOfFrames": 3, "PixelData": bytes(720)}, ["multi-frame", "dcm2niix"]),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_one_slice_unlike_the_others(tmp_path, hu, save_series, save_slice, change, job_error):
    tags, parts = CHANGES[change]
    paths = save_series(tmp_path, hu, positions=line(9))
    place = {"ImagePositionPatient": [-1.5, 2.5, -40 + 1.25 * 4]}
    save_slice(paths[4], 4, hu[4], **(place | tags))
    with job_error(*parts):
        read_volume(tmp_path)


def test_mixed_sizes(tmp_path, hu, save_series, save_slice, job_error):
    paths = save_series(tmp_path, hu)
    save_slice(paths[4], 4, hu[4, :8, :9])
    with job_error("mixes images of", "10 x 12", "9 x 8"):
        read_volume(tmp_path)


def test_rows_and_columns_not_at_right_angles(tmp_path, hu, save_series, job_error):
    save_series(tmp_path, hu, ImageOrientationPatient=[1, 0, 0, 0.5, 0.5, 0])
    with job_error("not at right angles"):
        read_volume(tmp_path)


def test_zero_pixel_spacing(tmp_path, hu, save_series, job_error):
    save_series(tmp_path, hu, PixelSpacing=[0, 0.8])
    with job_error("impossible voxel spacing"):
        read_volume(tmp_path)


def test_one_slice_and_few_slices(tmp_path, hu, save_series, job_error):
    save_series(tmp_path / "one", hu[:1])
    save_series(tmp_path / "few", hu[:7])
    with job_error("is a single slice"):
        read_volume(tmp_path / "one")
    with job_error("10 x 12 x 7 voxels", "at least 8"):
        read_volume(tmp_path / "few")


def test_other_modality(tmp_path, hu, save_series, job_error):
    save_series(tmp_path, hu, Modality="MR")
    with job_error("is MR and not CT", "--allow-unusual"):
        read_volume(tmp_path)
    assert np.array_equal(read_volume(tmp_path, allow_unusual=True).array, hu)


def test_values_are_checked(tmp_path, hu, save_series, job_error):
    save_series(tmp_path, hu, RescaleIntercept=None, RescaleSlope=None)
    with job_error("none is negative", "subtract 1024"):
        read_volume(tmp_path)


@pytest.mark.parametrize("keep", [400, -100, -1])
def test_truncated_slice(tmp_path, hu, save_series, keep, job_error, capfd):
    path = save_series(tmp_path, hu)[4]
    path.write_bytes(path.read_bytes()[:keep])
    with job_error(str(path), "truncated or damaged"):
        read_volume(tmp_path)
    assert capfd.readouterr() == ("", "")


def test_empty_slice(tmp_path, hu, save_series, job_error):
    path = save_series(tmp_path, hu)[8]
    path.unlink()
    path.with_suffix(".dcm").write_bytes(b"")
    with job_error(".dcm", "truncated or damaged"):
        read_volume(tmp_path)


def test_slice_with_damaged_pixels(tmp_path, hu, save_series, save_slice, job_error, capfd):
    from pydicom.encaps import encapsulate

    paths = save_series(tmp_path, hu)
    data = save_slice(paths[4], 4, hu[4])
    data.file_meta.TransferSyntaxUID = JPEG2000Lossless
    data.PixelData = encapsulate([b"\xff\x4f\xff\x51" + b"garbage" * 10])
    data["PixelData"].VR = "OB"
    data.save_as(paths[4])
    with job_error(str(paths[4]), "truncated or damaged"):
        read_volume(tmp_path)
    assert capfd.readouterr() == ("", "")


# Files that are no slices, and damaged ones of other series.


def test_captures_and_localizers_are_left_out(tmp_path, hu, save_series, save_slice):
    save_series(tmp_path, hu)
    save_slice(tmp_path / "SC", 0, hu[0], SOPClassUID="1.2.840.10008.5.1.4.1.1.7", ImagePositionPatient=None)
    save_slice(tmp_path / "SC2", 0, hu[0], SOPClassUID="1.2.840.10008.5.1.4.1.1.7.2")
    save_slice(tmp_path / "scout", 0, hu[0].T.copy(), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    notes = []
    assert np.array_equal(read_volume(tmp_path, note=notes.append).array, hu)
    assert notes == ["3 files, such as SC, are secondary captures or localizers, and were left out."]


@pytest.mark.parametrize("k", [0, 4, -1])
def test_a_slice_of_a_damaged_class_is_not_left_out(tmp_path, hu, save_series, save_slice, k):
    paths = save_series(tmp_path, hu)
    save_slice(paths[k], k % len(hu), hu[k], SOPClassUID="1.2.840.10008.5.1.4.1.1.4")
    assert np.array_equal(read_volume(tmp_path).array, hu)


@pytest.mark.parametrize("k", [0, 4, -1])
def test_a_slice_that_bears_the_uid_of_another_is_no_copy(tmp_path, hu, save_series, save_slice, k):
    paths = save_series(tmp_path, hu)
    uid = pydicom.dcmread(paths[2]).SOPInstanceUID
    save_slice(paths[k], k % len(hu), hu[k], SOPInstanceUID=uid)
    assert np.array_equal(read_volume(tmp_path).array, hu)


def test_more_bits_stored_than_allocated(tmp_path, hu, save_series, save_slice, job_error):
    paths = save_series(tmp_path, hu)
    save_slice(paths[4], 4, hu[4], BitsAllocated=1)
    with job_error(str(paths[4]), "truncated or damaged"):
        read_volume(tmp_path)


def test_a_series_of_captures(tmp_path, hu, save_series, job_error):
    save_series(tmp_path, hu, SOPClassUID="1.2.840.10008.5.1.4.1.1.7")
    with job_error("holds secondary captures", "choose another one"):
        read_volume(tmp_path)


@pytest.mark.parametrize("keep", [400, 700, -100])
@pytest.mark.parametrize("folder", ["a", "b"])
def test_a_damaged_slice_of_another_series(tmp_path, hu, save_series, keep, folder, job_error):
    """It blocks its own series, as far as it says which that is, and no other."""
    save_series(tmp_path / "a", hu, "1.2.826.11111111", SeriesNumber=1)
    for path in save_series(tmp_path / "b", hu, "1.2.826.22222222", SeriesNumber=2):
        path = path.rename(tmp_path / folder / f"of_b_{path.name}")
    path.write_bytes(path.read_bytes()[:keep])
    notes = []
    assert np.array_equal(read_volume(tmp_path, series=1, note=notes.append).array, hu)
    said_which = b"1.2.826.22222222" in path.read_bytes()
    assert notes == [] if said_which else "does not say of which series it is" in notes[0]
    if said_which:
        with job_error(str(path), "truncated or damaged"):
            read_volume(tmp_path, series=2)


def test_an_empty_file_among_several_series(tmp_path, hu, save_series):
    save_series(tmp_path / "a", hu, "1.2.826.11111111", SeriesNumber=1)
    save_series(tmp_path / "b", hu + 1, "1.2.826.22222222", SeriesNumber=2)
    (tmp_path / "b" / "lost.dcm").write_bytes(b"")
    notes = []
    assert np.array_equal(read_volume(tmp_path, series=1, note=notes.append).array, hu)
    assert notes == ["lost.dcm is damaged and does not say of which series it is, and was left out."]


def test_a_damaged_file_and_nothing_else(tmp_path, job_error):
    (tmp_path / "lost.dcm").write_bytes(b"")
    with job_error("lost.dcm is truncated or damaged"):
        read_volume(tmp_path)


# What the values mean.


@pytest.mark.parametrize("lost", [["RescaleSlope"], ["RescaleIntercept"], ["RescaleSlope", "RescaleIntercept"]])
def test_rescale_that_only_some_slices_state(tmp_path, hu, save_series, save_slice, lost, job_error):
    paths = save_series(tmp_path, hu)
    for k in (2, 5):
        save_slice(paths[k], k, hu[k], **dict.fromkeys(lost))
    with job_error("has 2 of 9 slices, such as IM", "do not say what their values mean", "export the series again"):
        read_volume(tmp_path)


@pytest.mark.parametrize("kind", ["HU", "hu", "US", None])
def test_values_of_the_usual_type(tmp_path, hu, save_series, kind):
    save_series(tmp_path, hu, RescaleType=kind)
    assert np.array_equal(read_volume(tmp_path).array, hu)


@pytest.mark.parametrize("kind", ["OD", "Z_EFF", "HU_MOD", "MGML"])
def test_values_of_another_type(tmp_path, hu, save_series, kind, job_error):
    save_series(tmp_path, hu, RescaleType=kind)
    with job_error(f"does not hold Hounsfield units but values of type {kind}", "--allow-unusual"):
        read_volume(tmp_path)
    assert np.array_equal(read_volume(tmp_path, allow_unusual=True).array, hu)


def test_a_slope_of_zero(tmp_path, hu, save_series, job_error):
    save_series(tmp_path, hu, RescaleSlope=0)
    with job_error("rescale slope of 0"):
        read_volume(tmp_path)


# What the header says of the acquisition.


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({}, (None, None, None)),
        ({"SliceThickness": 1.25, "ConvolutionKernel": "Br40"}, (1.25, None, "Br40")),
        ({"SliceThickness": 2.5, "SpacingBetweenSlices": 1.25}, (2.5, 1.25, None)),  # overlapping
        ({"SliceThickness": 0}, (None, None, None)),
        ({"SliceThickness": -1}, (None, None, None)),
        ({"SliceThickness": 3.74}, (3.74, None, None)),
        ({"SliceThickness": 3.76}, (None, None, None)),  # of more than three spacings
        ({"SpacingBetweenSlices": -1.25}, (None, None, None)),
        ({"SpacingBetweenSlices": 0}, (None, None, None)),  # which ITK refuses to read
        ({"SpacingBetweenSlices": "0.0", "SliceThickness": 0}, (None, None, None)),
        ({"SpacingBetweenSlices": 5}, (None, None, None)),  # not theirs
        ({"SpacingBetweenSlices": "1.3"}, (None, 1.3, None)),
        ({"ConvolutionKernel": ["Br40d", "3"]}, (None, None, "Br40d\\3")),
        ({"SliceThickness": None, "ConvolutionKernel": ""}, (None, None, None)),
    ],
)
def test_acquisition_tags(tmp_path, hu, save_series, tags, expected):
    save_series(tmp_path, hu, **tags)
    volume = read_volume(tmp_path)
    assert np.array_equal(volume.array, hu)
    found = volume.acquisition
    assert (found.slice_thickness, found.spacing_between_slices, found.convolution_kernel) == expected
    assert volume.crop((slice(1, 9), slice(None), slice(None))).acquisition == found
    assert open_scan(tmp_path).acquisition == found


def test_slices_that_do_not_agree_on_their_acquisition_say_nothing(tmp_path, hu, save_series, save_slice):
    paths = save_series(tmp_path, hu, SliceThickness=1.25, ConvolutionKernel="B")
    save_slice(paths[4], 4, hu[4], SliceThickness=2.5, ConvolutionKernel="L")
    assert read_volume(tmp_path).acquisition.stated == {}


# Spacing: jitter, blocks, and what is missing.


@pytest.mark.parametrize("step", [1.25, 2.0, 5.0])
def test_jittered_slices_lack_none(tmp_path, hu, save_series, step, job_error):
    rng = np.random.default_rng(3)
    positions = line(9, step=(0, 0, step))
    positions[:, 2] += rng.uniform(-0.6, 0.6, 9)
    save_series(tmp_path, hu, positions=positions)
    with job_error("unevenly spaced slices"):
        read_volume(tmp_path)


def two_blocks(first, second, junction, count=9):
    """Heights of two blocks of slices."""
    one = np.arange(count) * first
    return np.concatenate([one, one[-1] + junction + np.arange(count) * second])


@pytest.mark.parametrize(("first", "second", "junction"), [(4, 7, 5.5), (4, 7, 1.08), (5, 10, 10), (10, 5, 7.5)])
def test_two_blocks(tmp_path, hu, save_slice, first, second, junction, job_error):
    heights = two_blocks(first, second, junction)
    pixels = np.concatenate([hu, hu[::-1]])
    for k, height in enumerate(heights):
        thickness = first if k < 9 else second
        save_slice(tmp_path / f"{k}", k, pixels[k], ImagePositionPatient=[0, 0, height], SliceThickness=thickness)
    with job_error(
        f"slices 1 to 9 are {first} mm apart and {first} mm thick",
        f"slices 10 to 18 are {second} mm apart and {second} mm thick",
        "none is missing by their numbers",
        "choose a block with --series 3.1 or 3.2.",
    ):
        read_volume(tmp_path)
    for block, (step, values) in enumerate([(first, hu), (second, hu[::-1])], start=1):
        volume = read_volume(tmp_path, series=f"3.{block}")
        assert volume.spacing[0] == pytest.approx(step) and np.array_equal(volume.array, values)
        assert volume.acquisition.slice_thickness == step
        assert volume.origin[2] == pytest.approx(heights[9 * (block - 1)])
    with job_error("has 2 blocks of slices, so there is no 3"):
        read_volume(tmp_path, series="3.3")


def test_a_block_of_a_series_without_blocks(tmp_path, hu, save_series, job_error):
    save_series(tmp_path, hu)
    with job_error("has no blocks of slices, so there is no 1"):
        read_volume(tmp_path, series="3.1")


def test_a_whole_end_that_is_thinned_out_is_a_block_and_single_gaps_are_not(tmp_path, hu, save_series, job_error):
    kept = [0, 1, 2, 3, 5, 6, 8]  # every second one of two places
    save_series(tmp_path, hu[kept], positions=line(9)[kept])
    with job_error("lacks about 2 slices: after slice 4 of 7"):
        read_volume(tmp_path)


# Tilt, by the rule that holds for every format.


@pytest.mark.parametrize(
    ("shift", "accepted"), [(0.0, True), (0.1, True), (0.25, True), (0.4, False), (1.5, False), (8.0, False)]
)
def test_a_little_tilt_is_the_nearest_rotation(tmp_path, hu, save_series, shift, accepted, job_error):
    """``shift`` is how far the last slice of nine is off, in mm: 0.8 mm pixels, ten of them."""
    positions = line(9)
    positions[:, 0] += np.linspace(0, shift, 9)
    save_series(tmp_path, hu, positions=positions)
    if not accepted:
        with job_error("gantry tilt of", "--untilt"):
            read_volume(tmp_path)
        return
    volume = read_volume(tmp_path)
    for k, y, x in ((0, 0, 0), (8, 11, 9), (4, 6, 5)):
        stated = positions[k] + [0.8 * x, 0.7 * y, 0]
        assert np.abs((np.array(volume.point((k, y, x))) - stated) / [0.8, 0.7, 1.25]).max() <= 0.13
