"""The part of a scan from which its acquisition is found: the same one, whatever region is worked on."""

from __future__ import annotations

import numpy as np
import pytest

from CTSuperResolutionLib.degradation import representative
from CTSuperResolutionLib.degradation.representative import representative_part, representative_region
from CTSuperResolutionLib.errors import Cancelled
from CTSuperResolutionLib.volume.reading import open_scan
from CTSuperResolutionLib.volume.volume import Volume
from CTSuperResolutionLib.volume.writing import write_volume

REGION = (slice(0, 8), slice(2, 12), slice(3, 15))


@pytest.fixture
def source(tmp_path):
    hu = np.random.default_rng(0).integers(-1000, 1000, (40, 20, 20)).astype(np.float32)
    write_volume(Volume(hu, (2.0, 1.0, 1.0), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1)), tmp_path / "scan.nrrd")
    return open_scan(tmp_path / "scan.nrrd")


def test_a_region_is_judged_by_the_whole_scan(source):
    found = representative_part(source, source.read(REGION), REGION)
    assert np.array_equal(found.array, source.read().array)


def test_of_a_large_scan_the_middle_slices_are_looked_at(source, monkeypatch):
    monkeypatch.setattr(representative, "MOST_VOXELS", 4000)
    assert representative_region(source.shape) == (slice(15, 25), slice(0, 20), slice(0, 20))
    whole, everything = source.read(), (slice(0, 40), slice(0, 20), slice(0, 20))
    for part, region in ((source.read(REGION), REGION), (whole, everything)):
        assert np.array_equal(representative_part(source, part, region).array, whole.array[15:25])


def test_where_the_rest_cannot_be_read_the_part_has_to_do(source, monkeypatch):
    part = source.read(REGION)
    monkeypatch.setattr("CTSuperResolutionLib.volume.scan_source.free_memory", lambda: 1000)
    assert representative_part(source, part, REGION) is part


def test_looking_can_be_cancelled(source):
    part = source.read(REGION)

    def cancel() -> None:
        raise Cancelled("asked for")

    with pytest.raises(Cancelled):
        representative_part(source, part, REGION, cancel)
