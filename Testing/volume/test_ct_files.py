"""CTs in a folder, and their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.volume.ct_files import find_cts, stem


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.nii.gz", "a"), ("b.1.NRRD", "b.1"), ("c.nii", "c"), ("d.e.mhd", "d.e"), ("f.raw", "f")],
)
def test_stems(name, expected):
    assert stem(Path("somewhere.nii") / name) == expected


def test_cts_are_found_by_their_names(tmp_path):
    for name in ("b.NRRD", "a.nii.gz", "c.v2.mha", ".hidden.nrrd", "table.csv", "noextension"):
        (tmp_path / name).touch()
    (tmp_path / "folder.nrrd").mkdir()
    assert list(find_cts(tmp_path)) == ["a", "b", "c.v2"]
    assert find_cts(tmp_path / "a.nii.gz") == {"a": tmp_path / "a.nii.gz"}
    (tmp_path / "a.nii").touch()
    with pytest.raises(JobError, match=r"a\.nii and a\.nii\.gz have one name"):
        find_cts(tmp_path)


def test_no_cts(tmp_path):
    (tmp_path / "table.csv").touch()
    with pytest.raises(JobError, match="There is no CT in"):
        find_cts(tmp_path)
    with pytest.raises(JobError, match="no folder or file"):
        find_cts(tmp_path / "elsewhere")
