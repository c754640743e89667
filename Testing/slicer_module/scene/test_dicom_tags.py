"""What Slicer's DICOM database keeps of a scan's acquisition, handed over with the job."""

from __future__ import annotations

import numpy as np
import pytest
from CTSuperResolutionPanel.scene.dicom_tags import acquisition_entries

TAGS = {"0018,0050": "5.0", "0018,0088": "5", "0018,1210": "B30f"}


class Database:
    """Of instances "0", "1", …, all with the same tags, but for what ``others`` says of an instance."""

    def __init__(self, tags, others=None):
        self.tags, self.others = tags, others or {}

    def instanceValue(self, uid, tag):
        return self.others.get(uid, self.tags).get(tag, "")


def test_slicers_database_answers_as_the_one_of_these_tests():
    """In a real Slicer its own is asked, in the test host the list of names."""
    import slicer
    from slicer_host import names

    database = getattr(slicer, "dicomDatabase", None)
    if database is None:
        assert "instanceValue" in names.of_class("ctkDICOMDatabase").methods
    else:
        assert database.instanceValue("1.2.3", "0018,0050") == ""


@pytest.fixture
def dicom_scan(make_scan, monkeypatch, slicer):
    """dicom_scan(database): a scan of ten slices that came from a series of as many instances."""

    def make(database, count=10):
        monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
        node = make_scan(matrix=np.diag([1.0, 1.0, 5.0, 1.0]))
        node.SetAttribute("DICOM.instanceUIDs", " ".join(map(str, range(count))))
        return node

    return make


def test_what_all_instances_agree_on_is_handed_over(dicom_scan):
    assert acquisition_entries(dicom_scan(Database(TAGS))) == {
        "DICOM.SliceThickness": "5.0",
        "DICOM.SpacingBetweenSlices": "5",
        "DICOM.ConvolutionKernel": "B30f",
    }
    mixed = Database(TAGS, {"9": TAGS | {"0018,0050": "2.5"}})
    assert "DICOM.SliceThickness" not in acquisition_entries(dicom_scan(mixed))


def test_nothing_is_handed_over_where_nothing_is_known(dicom_scan, make_scan):
    assert acquisition_entries(make_scan()) == {}  # from no DICOM series
    assert acquisition_entries(dicom_scan(None)) == {}  # there is no database
    assert acquisition_entries(dicom_scan(Database({}))) == {}  # the instances are gone
    assert acquisition_entries(dicom_scan(Database(TAGS), count=7)) == {}  # another stack of slices
    assert acquisition_entries(dicom_scan(Database({"0018,1210": "a\r\nb"}))) == {"DICOM.ConvolutionKernel": "a b"}


def test_a_database_that_was_deleted_is_no_obstacle(dicom_scan):
    class Deleted:
        def instanceValue(self, uid, tag):
            raise ValueError("Trying to call 'instanceValue' on a destroyed ctkDICOMDatabase object")

    assert acquisition_entries(dicom_scan(Deleted())) == {}


def test_the_job_gets_them_in_its_file(panel, dicom_scan, state, child, monkeypatch, finish):
    from CTSuperResolutionPanel.scene import nrrd

    written = []
    real = nrrd.write
    monkeypatch.setattr(nrrd, "write", lambda *args, **named: written.append(named["metadata"]) or real(*args, **named))
    child("does well")
    panel.logic.hardware.machine = {"gpus": [], "notes": []}
    state.inputVolume, state.scale = dicom_scan(Database(TAGS)), "2"
    panel.panel.refresh()
    assert panel.ui.acquisitionLabel.text == "Slices 5.0 mm thick by the header"
    panel.ui.applyButton.click()
    finish()
    assert written[0]["DICOM.SliceThickness"] == "5.0" and written[0]["DICOM.ConvolutionKernel"] == "B30f"
