"""Saving a result: the file, and the DICOM series, read back by others."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from CTSuperResolutionPanel.scene import export

from CTSuperResolutionLib.volume.reading import read_volume

OBLIQUE = np.array([
    [-0.6 * 0.7, 0.48 * 0.8, 0.64 * 2.5, 12.5],
    [-0.8 * 0.7, -0.36 * 0.8, -0.48 * 2.5, -40.25],
    [0.0, -0.8 * 0.8, 0.6 * 2.5, 7 / 3],
    [0.0, 0.0, 0.0, 1.0],
])  # fmt: skip


MIRRORED = OBLIQUE @ np.diag([-1.0, 1.0, 1.0, 1.0])
both_hands = pytest.mark.parametrize("result", [OBLIQUE, MIRRORED], ids=["oblique", "mirrored"], indirect=True)


@pytest.fixture
def result(request, panel, make_scan, child, finish, state):
    """A super-resolved volume, as a job makes it."""
    matrix = getattr(request, "param", OBLIQUE)
    state.inputVolume, state.scale = make_scan(matrix=matrix, name="Scan (1)/2"), "2"
    child("does well")
    panel.panel.refresh()
    panel.ui.applyButton.click()
    finish()
    return state.srVolume


@pytest.fixture
def save(panel, wait_until):
    """save(section.save_nrrd, path): until it is done."""

    def until_done(how, place) -> None:
        how(place)
        assert not panel.ui.saveNrrdButton.enabled
        wait_until(lambda: panel.ui.saveNrrdButton.enabled)
        assert panel.ui.saveNrrdButton.enabled and panel.ui.saveLabel.text.startswith(f"Saved to {place}.")

    return until_done


def write_whole_file(dataset, path):
    """With preamble and meta information, which pydicom 2.4, as in Slicer 5.8, calls by another name than 3."""
    if int(pydicom.__version__.partition(".")[0]) < 3:
        dataset.is_little_endian, dataset.is_implicit_VR = True, False
        dataset.save_as(str(path), write_like_original=False)
    else:
        dataset.save_as(str(path), enforce_file_format=True)


def lps(slicer, node):
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ slicer.util.arrayFromVTKMatrix(matrix_of(node))


def matrix_of(node):
    import vtk

    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return matrix


@both_hands
def test_nrrd(panel, result, save, slicer, tmp_path):
    save(panel.panel.result.save_nrrd, tmp_path / "sr.nrrd")
    image = sitk.ReadImage(str(tmp_path / "sr.nrrd"))
    assert np.array_equal(sitk.GetArrayFromImage(image), slicer.util.arrayFromVolume(result))
    for index in ((0, 0, 0), (27, 23, 19)):
        expected = (lps(slicer, result) @ [*index, 1])[:3]
        np.testing.assert_allclose(image.TransformIndexToPhysicalPoint(index), expected, atol=1e-6)
    assert image.GetMetaData("CTSR_note") == "Not for diagnosis."
    assert [path.name for path in tmp_path.iterdir()] == ["sr.nrrd"]


@both_hands
def test_dicom(panel, result, save, slicer, tmp_path):
    save(panel.panel.result.save_dicom, tmp_path)
    (folder,) = tmp_path.iterdir()
    files = sorted(folder.iterdir())
    headers = [pydicom.dcmread(path) for path in files]
    assert len(headers) == 20
    volume = read_volume(folder, allow_unusual=True)  # the library's own reader, by the slices' positions
    array, matrix = slicer.util.arrayFromVolume(result), lps(slicer, result)
    order = 1 if np.allclose(volume.point((0, 0, 0)), matrix[:3, 3], atol=1e-4) else -1
    assert np.array_equal(volume.array[::order], array)
    for index in ((0, 0, 0), (27, 23, 19), (3, 11, 7)):
        x, y, z = index
        where = volume.point((z if order == 1 else 19 - z, y, x))
        np.testing.assert_allclose(where, (matrix @ [*index, 1])[:3], atol=1e-4)
    for header in headers:
        assert header.ImageType[:2] == ["DERIVED", "SECONDARY"] and header.Modality == "CT"
        assert "not for diagnosis" in header.SeriesDescription
        assert "arXiv 2508.15151" in header.DerivationDescription
        assert "not for diagnosis" in header.DerivationDescription and "seed 0" in header.DerivationDescription
        assert header.file_meta.MediaStorageSOPInstanceUID == header.SOPInstanceUID
    assert len({header.SOPInstanceUID for header in headers}) == 20
    assert len({header.SeriesInstanceUID for header in headers}) == 1
    assert len({header.FrameOfReferenceUID for header in headers}) == 1
    assert all(len(str(value)) <= 16 for value in headers[0].ImagePositionPatient)


def test_a_second_series_is_another_series(panel, result, save, tmp_path):
    for _ in range(2):
        save(panel.panel.result.save_dicom, tmp_path)
    uids = [pydicom.dcmread(next(folder.iterdir())).SeriesInstanceUID for folder in tmp_path.iterdir()]
    assert len(set(uids)) == 2


@pytest.fixture
def from_dicom(tmp_path, monkeypatch):
    """from_dicom(name=value, …): the scan comes from a series with these tags in its header."""
    source = pydicom.Dataset()
    source.file_meta = pydicom.dataset.FileMetaDataset()
    source.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    source.PatientName, source.PatientID = "Ångström^Ada", "P7"
    source.StudyInstanceUID, source.FrameOfReferenceUID, source.SeriesInstanceUID = "1.2.3", "1.2.4", "1.2.5"
    source.SOPClassUID, source.SOPInstanceUID = export.CT_IMAGE_STORAGE, "1.2.6"
    source.StudyDescription, source.SeriesNumber, source.SpecificCharacterSet = "Thorax", 4, "ISO_IR 192"

    def write(**tags) -> None:
        for name, value in tags.items():
            setattr(source, name, value)
        write_whole_file(source, tmp_path / "source.dcm")
        monkeypatch.setattr(export, "_source_path", lambda scan: str(tmp_path / "source.dcm"))

    return write


def test_it_says_what_made_it_of_what_and_for_what(result, state, exported, from_dicom):
    uids = [f"1.2.9.{number}" for number in range(10)]
    state.inputVolume.SetAttribute("DICOM.instanceUIDs", " ".join(uids))
    equipment = {"Manufacturer": "SCANNERS", "ManufacturerModelName": "One", "DeviceSerialNumber": "7"}
    lossy = {"LossyImageCompression": "01", "LossyImageCompressionRatio": ["8.5", "2"]}
    from_dicom(**equipment, **lossy, LossyImageCompressionMethod=["ISO_15444_1", "ISO_10918_1"])
    headers, _ = exported(result)
    for header in headers:
        scanner, own = header.ContributingEquipmentSequence
        assert scanner.PurposeOfReferenceCodeSequence[0].CodeValue == "109101"
        assert {name: scanner.get(name) for name in equipment} == equipment
        assert own.PurposeOfReferenceCodeSequence[0].CodeValue == "109102" and own.Manufacturer == "CTSuperResolution"
        assert "not for diagnosis" in own.ContributionDescription and len(own.ContributionDateTime) == 14
        assert header.ContentQualification == "RESEARCH"
        (how,) = header.DerivationCodeSequence
        assert (how.CodeValue, how.CodingSchemeDesignator) == ("113085", "DCM")
        assert header.LossyImageCompression == "01" and list(header.LossyImageCompressionRatio) == [8.5, 2]
        assert list(header.LossyImageCompressionMethod) == ["ISO_15444_1", "ISO_10918_1"]
    sources = [[item.ReferencedSOPInstanceUID for item in header.SourceImageSequence] for header in headers]
    assert sources[0] == uids[:1] and sources[-1] == uids[-1:]  # beyond the outer slices' middles
    assert sources[1] == uids[:2] and sources[7] == uids[3:5]


def test_of_a_source_without_loss_it_says_so_and_of_an_unknown_one_nothing(result, exported, from_dicom):
    (unknown, *_), _ = exported(result)
    assert "LossyImageCompression" not in unknown and "SourceImageSequence" not in unknown
    assert len(unknown.ContributingEquipmentSequence) == 1
    from_dicom()
    (known, *_), _ = exported(result)
    assert known.LossyImageCompression == "00" and "LossyImageCompressionRatio" not in known


def test_patient_and_study_are_those_of_the_scan(panel, result, save, tmp_path, from_dicom):
    from_dicom()
    (tmp_path / "out").mkdir()
    save(panel.panel.result.save_dicom, tmp_path / "out")
    (folder,) = (tmp_path / "out").iterdir()
    header = pydicom.dcmread(next(folder.iterdir()))
    assert (str(header.PatientName), header.PatientID, header.StudyDescription) == ("Ångström^Ada", "P7", "Thorax")
    assert (header.StudyInstanceUID, header.FrameOfReferenceUID) == ("1.2.3", "1.2.4")
    assert header.SeriesInstanceUID != "1.2.5" and header.SOPInstanceUID != "1.2.6" and header.SeriesNumber == 1004


@pytest.fixture
def exported(tmp_path):
    """exported(volume): the headers of the series it becomes, and what there is to know of it."""

    def export_of(volume):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        steps = export.to_dicom(volume, folder)
        while True:
            try:
                next(steps)
            except StopIteration as finished:
                (series,) = folder.iterdir()
                return [pydicom.dcmread(path) for path in sorted(series.iterdir())], finished.value

    return export_of


def put_under_patient(slicer, node) -> None:
    """As Slicer puts a series that it loads."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "Ada")
    for name, value in {"Name": "Ångström^Ada", "ID": "P7", "BirthDate": "1950-01-31", "Sex": "F"}.items():
        hierarchy.SetItemAttribute(patient, f"DICOM.Patient{name}", value)
    study = hierarchy.CreateStudyItem(patient, "Thorax")
    hierarchy.SetItemUID(study, "DICOM", "1.2.3")
    hierarchy.SetItemAttribute(study, "DICOM.StudyDescription", "Thorax")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(node), study)


@pytest.mark.parametrize("scan_is", ["there", "gone"])
def test_a_scan_that_left_the_database_or_the_scene_keeps_its_patient(result, slicer, state, exported, scan_is):
    put_under_patient(slicer, result if scan_is == "gone" else state.inputVolume)
    if scan_is == "gone":
        slicer.mrmlScene.RemoveNode(state.inputVolume)
    headers, to_know = exported(result)
    header = headers[0]
    assert (str(header.PatientName), header.PatientID, header.PatientSex) == ("Ångström^Ada", "P7", "F")
    assert header.PatientBirthDate == "19500131"
    assert (header.StudyInstanceUID, header.StudyDescription, header.StudyDate) == ("1.2.3", "Thorax", "")
    assert to_know == ""


def test_a_scan_of_nobody_is_said_to_be_of_nobody(result, exported):
    headers, to_know = exported(result)
    assert "patient is not known" in to_know and "study is not known" in to_know
    assert headers[0].PatientName == "Anonymous" and headers[0].PatientPosition == ""


def test_a_moved_volume_is_exported_where_it_is_shown(result, slicer, exported):
    turn = np.eye(4)
    turn[:2, :2] = [[0.8, -0.6], [0.6, 0.8]]
    turn[:3, 3] = 50, -20, 5
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(turn))
    result.SetAndObserveTransformNodeID(transform.GetID())
    headers, to_know = exported(result)
    shown = np.diag([-1, -1, 1, 1]) @ turn @ slicer.util.arrayFromVTKMatrix(matrix_of(result))
    for index in (0, 19):
        np.testing.assert_allclose(headers[index].ImagePositionPatient, (shown @ [0, 0, index, 1])[:3], atol=1e-4)
    row, column = np.split(np.array(headers[0].ImageOrientationPatient, float), 2)
    np.testing.assert_allclose(np.cross(row, column) @ shown[:3, 2], np.linalg.norm(shown[:3, 2]), atol=1e-4)
    assert "transform moves it" in to_know


def test_a_moved_volume_is_not_in_the_scans_frame_of_reference(result, slicer, exported, monkeypatch):
    monkeypatch.setattr(export, "_source_tags", lambda scan: {"FrameOfReferenceUID": "1.2.4", "PatientID": "P7"})
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    result.SetAndObserveTransformNodeID(transform.GetID())
    assert exported(result)[0][0].FrameOfReferenceUID == "1.2.4"
    move = np.eye(4)
    move[0, 3] = 30
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(move))
    headers, _to_know = exported(result)
    assert headers[0].FrameOfReferenceUID != "1.2.4" and headers[0].PatientID == "P7"


@pytest.mark.parametrize("kind", ["sheared", "bent"])
def test_a_transform_that_dicom_cannot_hold_is_refused(
    panel, result, slicer, tmp_path, kind, wait_until, make_bent_transform
):
    if kind == "bent":
        transform = make_bent_transform()
    else:
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(np.eye(4) + 0.3 * np.eye(4, k=1)))
    result.SetAndObserveTransformNodeID(transform.GetID())
    panel.panel.result.save_dicom(tmp_path)
    wait_until(lambda: panel.ui.saveNrrdButton.enabled)
    assert "transform that DICOM cannot hold" in panel.ui.saveLabel.text
    assert list(tmp_path.iterdir()) == []


def test_two_results_of_one_scan_have_two_series_numbers(result, panel, state, exported, finish):
    panel.ui.applyButton.click()
    finish()
    assert state.srVolume is not result
    numbers = [exported(volume)[0][0].SeriesNumber for volume in (result, state.srVolume)]
    assert numbers[0] != numbers[1]


@pytest.mark.parametrize("how", ["save_nrrd", "save_dicom"])
def test_a_save_that_is_broken_off_leaves_nothing(panel, result, tmp_path, how, monkeypatch, wait_until):
    monkeypatch.setattr("CTSuperResolutionPanel.process.stepper.BUDGET_S", 0.0)
    getattr(panel.panel.result, how)(tmp_path / "sr.nrrd" if how == "save_nrrd" else tmp_path)
    wait_until(lambda: "Saving" in panel.ui.saveLabel.text)
    panel.panel.result.stop()
    assert list(tmp_path.iterdir()) == [] and panel.ui.saveNrrdButton.enabled


def test_a_place_that_cannot_be_written_is_said(panel, result, tmp_path, wait_until):
    panel.panel.result.save_nrrd(tmp_path / "nowhere" / "sr.nrrd")
    wait_until(lambda: panel.ui.saveNrrdButton.enabled)
    assert "could not be saved" in panel.ui.saveLabel.text


def test_the_summary_says_what_was_done_and_warns(panel, result):
    panel.panel.refresh()
    text = panel.ui.reportLabel.text
    assert panel.ui.resultCollapsibleButton.visible
    assert "28 × 24 × 20 voxels of 0.35 × 0.4 × 1.25 mm" in text and "1.0 HU rms (cubic 3.0)" in text
    assert "seed 0" in text and "For research. Not for diagnosis." in text
