"""Slices of a volume, restored along its axes: what comes of them where the restoring is known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from CTSuperResolutionLib.degradation.operator import make_degradation
from CTSuperResolutionLib.diffusion.networks.image_acquisition import ImageAcquisition
from CTSuperResolutionLib.diffusion.noise_schedule import NoiseSchedule
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.stages.matter_windows import Window, Windows
from CTSuperResolutionLib.stages.orientations import ORIENTATIONS
from CTSuperResolutionLib.stages.restore_slices import (
    SLAB,
    SliceDenoiser,
    coarsest_axes,
    looks_along,
    neighbour_differences,
    slice_change,
)

SHAPE = (SLAB + 4, 12, 14)


def whole(shape) -> Windows:
    z, y, x = (Window.whole(n) for n in shape)
    return z, y, x


def random_volume() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).random(SHAPE))


@pytest.mark.parametrize("orientations", [1, 3])
@pytest.mark.parametrize("axes", [(2,), (0, 2), (0, 1, 2)])
def test_every_slice_of_those_axes_is_denoised_once_a_look_and_the_mean_is_what_counts(axes, orientations):
    """A slice gets its own index added, so a voxel the mean of those it lies in."""
    done = []

    class Record(Progress):
        def advance(self, steps=1):
            done.append(steps)

    def denoise(volume, look, some):
        assert len(some) <= SLAB
        return volume.movedim(look.axis, 0)[some.start : some.stop] + torch.tensor(some)[:, None, None]

    found = slice_change(random_volume(), denoise, looks_along(axes, orientations), Record())
    np.testing.assert_allclose(found.numpy(), np.mean(np.indices(SHAPE)[list(axes)], axis=0), atol=1e-12)
    assert sum(done) == orientations * sum(SHAPE[axis] for axis in axes)


def test_the_eight_orientations_are_those_of_a_square():
    """Each is its own, and is undone; what lies in it is told rows for columns where it is turned."""
    images = torch.arange(12.0).reshape(2, 2, 3)
    laid = [orientation.lay(images) for orientation in ORIENTATIONS]
    square = images[0, :2, :2]
    dihedral = {tuple(np.rot90(m, k).ravel()) for m in (square.numpy(), square.numpy().T) for k in range(4)}
    assert {tuple(orientation.lay(square).ravel().tolist()) for orientation in ORIENTATIONS} == dihedral
    told = ImageAcquisition(2.0, 3.0, row_width=4.0, column_width=5.0)
    for orientation, image in zip(ORIENTATIONS, laid, strict=True):
        assert torch.equal(orientation.lift(image), images)
        rows = orientation.of(told)
        assert image.shape[1:] == ((3, 2) if rows.row_factor == 3 else (2, 3))
        assert (rows.row_width, rows.column_width) == ((5, 4) if rows.row_factor == 3 else (4, 5))
    assert [orientation.turned for orientation in ORIENTATIONS].count(True) == 4


@pytest.mark.parametrize(
    ("factors", "one", "two"),
    [((4, 4, 4), (2,), (1, 2)), ((4, 1, 1), (2,), (1, 2)), ((1, 4, 4), (0,), (0, 2)), ((2, 8, 8), (0,), (0, 2))],
)
def test_the_coarsest_slices_come_first(factors, one, two):
    """A slice does not show its own axis: the less that one lacks, the more the slice does."""
    found = [coarsest_axes(factors, count) for count in (1, 2, 3)]
    assert found == [one, two, (0, 1, 2)]


def test_neighbours_come_in_order_and_the_last_slice_is_repeated():
    """Slices whose value is the square of their index."""
    slices = (torch.arange(6.0) ** 2)[:, None, None].expand(6, 2, 3)
    values = np.arange(6.0) ** 2
    found = neighbour_differences(slices, range(0, 6), 2)
    assert found.shape == (6, 4, 2, 3)
    for index in range(6):
        beside = [max(index - 2, 0), max(index - 1, 0), min(index + 1, 5), min(index + 2, 5)]
        np.testing.assert_array_equal(found[index, :, 1, 2], values[beside] - values[index])
    assert torch.equal(neighbour_differences(slices, range(2, 5), 2), found[2:5])
    assert neighbour_differences(slices, range(0, 6), 0) is None


class Adding:
    """A prior that finds as noise what the neighbours have beyond a slice, and notes what it is told."""

    schedule = NoiseSchedule.linear()
    denoiser = SimpleNamespace(reach=1)

    def __init__(self) -> None:
        self.told = []

    def at(self, acquisition):
        self.told.append(acquisition)
        return self

    def predict_noise(self, x, step, neighbours):
        return neighbours.sum(1, keepdim=True)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("orientations", [1, 8])
def test_slices_of_any_axis_are_shown_their_own_neighbours(axis, orientations):
    """Of a volume in slabs: each slice loses its second difference along the axis, over √ᾱ and times √(1 − ᾱ)."""
    volume, prior = random_volume(), Adding()
    degradation = make_degradation(SHAPE, (4, 2, 1))
    denoiser = SliceDenoiser(prior, degradation, 0.01, whole(SHAPE), 0)

    def denoise(volume, look, some):
        return denoiser.denoise(volume, look, some, [(k,) for k in some])

    found = slice_change(volume, denoise, looks_along((axis,), orientations), Progress())
    padded = np.pad(volume.numpy(), [(1, 1) if k == axis else (0, 0) for k in range(3)], mode="edge")
    second = np.diff(padded, 2, axis=axis)
    alpha = prior.schedule.alpha_cumprod(0)
    np.testing.assert_allclose(found.numpy(), -(((1 - alpha) / alpha) ** 0.5) * second, atol=1e-6)
    told = ImageAcquisition.of_slices(degradation, axis, 0.01)
    assert set(prior.told) == ({told} if orientations == 1 else {told, told.turned()})


@pytest.mark.parametrize("look", looks_along((0, 1, 2), 8), ids=str)
def test_what_lies_beyond_the_windows_stays_and_is_not_shown(look):
    volume, shape = random_volume(), set()

    class Looking(Adding):
        def predict_noise(self, x, step, neighbours):
            shape.add(tuple(sorted(x.shape[-2:])))
            return super().predict_noise(x, step, neighbours)

    windows = Window.whole(SHAPE[0]), Window(slice(2, 10), slice(4, 8)), Window(slice(0, 8), slice(0, 5))
    found, everywhere = (
        torch.cat(
            [
                SliceDenoiser(Looking(), make_degradation(SHAPE, (2, 2, 2)), 0.01, given, 0).denoise(
                    volume, look, some, [(k,) for k in some]
                )
                for some in (range(0, 6), range(6, SHAPE[look.axis]))
            ]
        ).movedim(0, look.axis)
        for given in (windows, whole(SHAPE))
    )
    inner = tuple(window.kept for window in windows)
    assert torch.allclose(found[inner], everywhere[inner], atol=1e-12) and not torch.allclose(
        found[inner], volume[inner]
    )
    outer = torch.ones(SHAPE, dtype=bool)
    outer[inner] = False
    assert torch.equal(found[outer], volume[outer])
    assert tuple(sorted(n for k, n in enumerate((SHAPE[0], 8, 8)) if k != look.axis)) in shape
