"""Sums over slices: the CPU library's against torch's, and which of them is used."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cpu_library import library_or_skip

from CTSuperResolutionLib.kernels.cpu_library import LibraryError
from CTSuperResolutionLib.projection import slice_sums
from CTSuperResolutionLib.projection.geometry import ScanGeometry
from CTSuperResolutionLib.projection.grid import VolumeGrid
from CTSuperResolutionLib.projection.native_slice_sums import NativeSliceSums
from CTSuperResolutionLib.projection.projector import Projector
from CTSuperResolutionLib.projection.slice_sums import TorchSliceSums, choose_slice_sums


@pytest.fixture(scope="module")
def library():
    return library_or_skip()


def beam(shape, spacing, angles, pixels, pitch) -> tuple[VolumeGrid, ScanGeometry]:
    grid = VolumeGrid(shape, spacing)
    return grid, ScanGeometry(tuple(angles), (shape[0], pixels), (spacing[0], pitch))


SPECIAL = (0.0, math.pi / 2, math.pi / 4, 3 * math.pi / 4, math.pi, math.atan(2.0), 1e-9)
ANGLES = st.one_of(st.sampled_from(SPECIAL), st.floats(-4.0, 4.0))
MM = st.floats(0.3, 3.0)


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 70), st.integers(1, 20), st.integers(1, 80)),
    spacing=st.tuples(MM, MM, MM),
    angles=st.lists(ANGLES, min_size=1, max_size=11),
    pixels=st.integers(1, 140),
    pitch=st.floats(0.1, 3.0),
)
def test_the_library_sums_as_torch_does(library, shape, spacing, angles, pixels, pitch):
    grid, geometry = beam(shape, spacing, angles, pixels, pitch)
    native, plain = NativeSliceSums(library, grid, geometry), TorchSliceSums(grid, geometry)
    generator = torch.Generator().manual_seed(0)
    voxels = torch.randn(shape[1] * shape[2], shape[0], generator=generator, dtype=torch.float64)
    views = range(len(angles))
    seen = plain.project(voxels, views)
    largest = max(float(seen.abs().max()), 1e-3)
    torch.testing.assert_close(native.project(voxels, views), seen, rtol=0, atol=1e-11 * largest)

    columns = torch.randn(seen.shape, generator=generator, dtype=torch.float64)
    ours, theirs = voxels.clone(), voxels.clone()  # both are added to
    native.backproject(columns, ours, views)
    plain.backproject(columns, theirs, views)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-11 * max(float(theirs.abs().max()), 1e-3))
    before, after = (float((columns * seen).sum()), float(((ours - voxels) * voxels).sum()))
    assert after == pytest.approx(before, rel=1e-9, abs=1e-9 * largest * columns.numel() ** 0.5)


def test_some_views_of_many_are_the_same_as_in_all(library):
    grid, geometry = beam((5, 16, 12), (1.0, 1.0, 1.5), [0.1 * k for k in range(9)], 24, 1.0)
    sums = NativeSliceSums(library, grid, geometry)
    voxels = torch.randn(16 * 12, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(sums.project(voxels, range(9))[3:7], sums.project(voxels, range(3, 7)))


def test_results_do_not_depend_on_the_number_of_threads(library):
    grid, geometry = beam((90, 40, 70), (1.0, 1.0, 1.0), [0.3 * k for k in range(10)], 100, 1.0)
    volume = torch.randn(grid.shape, generator=torch.Generator().manual_seed(0))
    threads, found = torch.get_num_threads(), []
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            views = Projector(grid, geometry).forward(volume)
            found.append((views, Projector(grid, geometry).adjoint(views)))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(found[0][0], found[1][0]) and torch.equal(found[0][1], found[1][1])


def test_torch_sums_where_there_is_no_library_and_where_it_does_not_serve(library, monkeypatch):
    grid, geometry = beam((3, 8, 8), (1.0, 1.0, 1.0), [0.4, 1.9], 12, 1.0)
    volume = torch.randn(grid.shape, generator=torch.Generator().manual_seed(0))
    assert isinstance(choose_slice_sums(grid, geometry, volume), NativeSliceSums)
    assert isinstance(choose_slice_sums(grid, geometry, volume.to("meta")), TorchSliceSums)
    views = Projector(grid, geometry).forward(volume)

    def none_built():
        raise LibraryError("not built")

    monkeypatch.setattr(slice_sums, "load_library", none_built)
    assert isinstance(choose_slice_sums(grid, geometry, volume), TorchSliceSums)
    torch.testing.assert_close(Projector(grid, geometry).forward(volume), views)


def test_a_project_that_runs_out_of_memory_says_so(library):
    class Exhausted:
        def nabgs_project(self, *_arguments):
            return 2

    grid, geometry = beam((3, 8, 8), (1.0, 1.0, 1.0), [0.4], 12, 1.0)
    with pytest.raises(MemoryError, match="not enough memory to project"):
        NativeSliceSums(Exhausted(), grid, geometry).project(torch.ones(64, 3), range(1))
