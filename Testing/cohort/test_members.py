"""Members of a cohort, from tables and folders, and what their jobs become."""

from __future__ import annotations

from pathlib import Path

import pytest

from CTSuperResolutionLib.cohort.cohort import SCRIPT
from CTSuperResolutionLib.cohort.members import TAKEN, Member, read_members
from CTSuperResolutionLib.cohort.report import FILES
from CTSuperResolutionLib.errors import JobError


@pytest.fixture
def table(tmp_path: Path):
    """table("scan\\na.nrrd"): a table of that text."""

    def write(text: str | bytes) -> Path:
        path = tmp_path / "table.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_a_row_has_its_own_settings_and_otherwise_those_of_all(table, tmp_path):
    head = "\ufeffname, scan ,scale,preset,spacing,seed"
    text = "\r\n".join([head, ",a.nii.gz,,,,", "Ä,sub/b.nrrd,2,preview,,3", "c,c.mha,,,0.5,", ""])
    common = {"scale": "3", "preset": "balanced", "settings": {"views": "6"}}
    jobs = {m.name: m.job(tmp_path / "out" / m.name, common) for m in read_members(table(text), tmp_path / "out")}
    assert [(name, j.method.scale, j.method.preset, j.method.seed) for name, j in jobs.items()] == [
        ("a", "3", "balanced", 0),
        ("Ä", "2", "preview", 3),
        ("c", None, "balanced", 0),
    ]
    assert jobs["c"].method.spacing == 0.5 and jobs["a"].method.settings == {"views": 6}
    assert Path(jobs["Ä"].input) == tmp_path / "sub" / "b.nrrd"
    assert Path(jobs["Ä"].output) == tmp_path / "out" / "Ä"


def test_a_folder_has_its_files_and_series_and_not_the_results(tmp_path):
    for name in ("b.nrrd", "a.nii.gz", "notes.txt", ".hidden.nrrd"):
        (tmp_path / name).touch()
    for name in ("series", "out", ".git"):
        (tmp_path / name).mkdir()
    assert [member.name for member in read_members(tmp_path, tmp_path / "out")] == ["a", "b", "series"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no scan"),
        ("scan\n", "no scan"),
        ("name\na\n", "no column 'scan'"),
        ("file\na.nrrd\n", "no column 'scan'"),
        ("scan,prest\na.nrrd,preview\n", "nearest is 'preset'"),
        ("scan,scale\na.nrrd\n", "Row 1"),
        ("scan\na.nrrd,2\n", "Row 1"),
        ("scan,scale\n,2\n", "names no scan"),
        ("scan\na.nrrd\nx/A.nii\n", "the name A"),
        ("scan,name\na.nrrd,../b\n", "'../b'"),
        ("scan,name\na.nrrd,..\n", "'..'"),
        ("scan,name\na.nrrd,Cohort.md\n", "'Cohort.md'"),
        ("scan\noutcomes.nrrd\n", "'outcomes'"),
        (b"scan\n\xff\xfe\n", "not CSV"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(table, tmp_path, text, told):
    with pytest.raises(JobError) as caught:
        read_members(table(text), tmp_path / "out")
    assert told in str(caught.value) and str(caught.value).endswith(".")


def test_a_table_that_is_not_there(tmp_path):
    with pytest.raises(JobError, match="no table or folder"):
        read_members(tmp_path / "nowhere.csv", tmp_path / "out")


def test_a_scan_is_no_table(tmp_path):
    (tmp_path / "a.nrrd").touch()
    with pytest.raises(JobError, match="is a scan; name a table"):
        read_members(tmp_path / "a.nrrd", tmp_path / "out")


@pytest.mark.parametrize("entries", [{"scale": "77"}, {"seed": "one"}, {"roi": "4:1"}, {"scale": "2", "spacing": "1"}])
def test_what_a_row_has_wrong_is_said_of_its_job(entries, tmp_path):
    with pytest.raises(JobError):
        Member("a", tmp_path / "a.nrrd", entries).job(tmp_path / "out", {})


def test_no_scan_has_the_name_of_a_file_that_a_cohort_writes():
    assert {*FILES, SCRIPT, "outcomes"} == TAKEN
