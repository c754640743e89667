"""Views that meet in a volume: what comes of them where the restoring is known."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage as ndi
import torch

from CTSuperResolutionLib.geometry import cone_beam, parallel_beam
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.meeting import SLAB, meet, meeting_steps
from CTSuperResolutionLib.projection import project

SHAPE, SPACING, VIEWS = (SLAB + 4, 12, 14), (2.0, 1.5, 1.5), 12


class Counter(Progress):
    done = 0

    def advance(self, steps: int = 1) -> None:
        self.done += steps


def body(sigma: float) -> torch.Tensor:
    """One random body, the more blurred the larger σ, (z, y, x), in [0, 1]."""
    values = np.random.default_rng(0).random(SHAPE)
    values[:, [0, -1]] = values[:, :, [0, -1]] = 0
    return torch.from_numpy(ndi.gaussian_filter(values, sigma))


def same(volume: torch.Tensor, *_: int) -> torch.Tensor:
    return volume


def meeting_of(views, volume, geometry, *, restore_slices=same, agree=same, progress=None):
    volume_views = project(volume, SPACING, geometry)
    views = volume_views if views is None else views
    return meet(
        views,
        volume_views,
        volume,
        SPACING,
        geometry,
        restore_slices=restore_slices,
        agree=agree,
        progress=progress or Progress(),
    )


@pytest.fixture(scope="module", params=[parallel_beam, cone_beam], ids=["parallel", "cone"])
def geometry(request):
    return request.param(views=VIEWS, volume_shape=SHAPE, spacing=SPACING)


def test_nothing_changes_where_views_and_slices_are_what_they_were(geometry):
    volume = body(1.0)
    torch.testing.assert_close(meeting_of(None, volume, geometry), volume)


def test_true_views_move_the_volume_towards_the_truth(geometry):
    truth, volume = body(0.7), body(1.5)
    met = meeting_of(project(truth, SPACING, geometry), volume, geometry)
    assert (met - truth).norm() < 0.7 * (volume - truth).norm()


def test_every_slice_of_every_axis_is_restored_once_and_their_mean_is_kept(geometry):
    """A slice gets its own index added, so a voxel the mean of its three."""

    def restore_slices(slices, axis, first):
        assert slices.shape[1:] == tuple(n for k, n in enumerate(SHAPE) if k != axis) and len(slices) <= SLAB
        return slices + torch.arange(first, first + len(slices))[:, None, None]

    volume = body(1.0)
    expected = volume.numpy() + sum(np.indices(SHAPE)) / 3
    torch.testing.assert_close(meeting_of(None, volume, geometry, restore_slices=restore_slices).numpy(), expected)


def test_the_scan_has_its_say_before_and_after_the_slices(geometry):
    """(2 x + 1) · 2 where slices get 1 added between two doublings."""
    volume = body(1.0)
    met = meeting_of(
        None, volume, geometry, agree=lambda v: 2 * v, restore_slices=lambda slices, axis, first: slices + 1
    )
    torch.testing.assert_close(met, (2 * volume + 1) * 2)


def test_progress_advances_as_announced(geometry):
    counter = Counter()
    meeting_of(None, body(1.0), geometry, progress=counter)
    assert counter.done == meeting_steps(VIEWS, SHAPE)
