"""The scans that the module offers to try it with."""

from __future__ import annotations

import numpy as np
from CTSuperResolutionPanel.scene import sample_data, voxel_geometry
from CTSuperResolutionPanel.scene.suitability import facts_of, find_problem

from CTSuperResolutionLib.phantom import thorax


def test_the_phantom_is_a_scan_that_the_method_understands(slicer):
    """As the library's own simulation of a scanner gives it, and where that puts it."""
    from CTSuperResolutionLib.degradation.simulation import degrade

    node = sample_data.load_phantom(shape=(10, 12, 16), spacing=12.0)
    expected = degrade(thorax(shape=(20, 24, 32), spacing=6.0), (2, 2, 2), blur=0.5)
    assert abs(slicer.util.arrayFromVolume(node) - expected.array).max() < 2
    matrix = voxel_geometry.LPS @ voxel_geometry.ijk_to_ras(node)
    for index in ((0, 0, 0), (9, 11, 15)):
        np.testing.assert_allclose((matrix @ [*index[::-1], 1])[:3], expected.point(index), atol=1e-6)
    assert find_problem(facts_of(node)) is None


def test_samples_are_offered_with_their_checksums(slicer, monkeypatch):
    # The modules of other tests have added theirs.
    monkeypatch.setattr(slicer.modules, "sampleDataSources", {}, raising=False)
    sample_data.register()
    sources = slicer.modules.sampleDataSources[sample_data.CATEGORY]
    names = [source.sampleName for source in sources]
    assert sample_data.PHANTOM in names and len(names) == len(set(names)) == 3
    for source in sources:
        if source.sampleName == sample_data.PHANTOM:
            source.customDownloader(source)
            assert slicer.util.getNode("Thorax phantom")
        else:
            (checksum,), (uri,) = source.checksums, source.uris
            assert uri.endswith(checksum.partition(":")[2])
