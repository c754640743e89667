"""Stage 3a: the prior restores slices: X-ray images of a thin object, where what views superimpose lies apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

from CTSuperResolutionLib.degradation.operator import Degradation
from CTSuperResolutionLib.diffusion.batched_denoiser import BatchedDenoiser, batch_size
from CTSuperResolutionLib.diffusion.denoise import denoise
from CTSuperResolutionLib.diffusion.networks.image_acquisition import ImageAcquisition
from CTSuperResolutionLib.diffusion.noise_streams import NoiseStreams
from CTSuperResolutionLib.diffusion.prior import Prior
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.stages.matter_windows import Windows
from CTSuperResolutionLib.stages.orientations import ORIENTATIONS, Orientation

SLAB = 16  # slices restored together
ALONG_TWO = 1.5  # of a mean over two axes: details along either of them are seen along the other alone
PIXELS = 1 << 21  # of slices that are in memory for the prior at once


class Look(NamedTuple):
    """One look at the slices of a volume: along which axis, and how they are laid down."""

    axis: int
    orientation: Orientation


SliceRestorer = Callable[[torch.Tensor, Look, range], torch.Tensor]
"""Restores some slices of a volume in [0, 1] at a look, (n, rows, columns)."""


class SliceDenoiser:
    """Denoises slices along any axis with a prior that is told how they were measured.

    Args:
        prior: what denoises.
        degradation: of the volume, A along (z, y, x).
        noise: standard deviation of the scan's noise on the scale [0, 1].
        windows: the part of the volume that is restored; the rest stays as it is.
        step: diffusion step t; 0 shows the prior the slices as they are.
    """

    def __init__(self, prior: Prior, degradation: Degradation, noise: float, windows: Windows, step: int) -> None:
        self._prior, self._degradation, self._noise, self._windows = prior, degradation, noise, windows
        self._step = min(step, len(prior.schedule) - 1)
        self._networks: dict[ImageAcquisition, BatchedDenoiser] = {}  # kept, with what each learns of memory

    def denoise(
        self, volume: torch.Tensor, look: Look, some: range, noise_seeds: Sequence[tuple[int, ...]]
    ) -> torch.Tensor:
        """x₀|t of some of a volume's slices at a look, each with the noise of its seed, (n, rows, columns).

        Args:
            volume: (z, y, x), in [0, 1].
            look: at the volume. some: indices of slices that follow each other.
        """
        slices, across = volume.movedim(look.axis, 0), self._windows[look.axis].kept
        rows, columns = (window for k, window in enumerate(self._windows) if k != look.axis)
        restored, shown = slices[some.start : some.stop].clone(), slices[:, rows.seen, columns.seen]
        most, stop = max(1, PIXELS // shown[0].numel()), min(some.stop, across.stop)
        for first in range(max(some.start, across.start), stop, most):
            part = range(first, min(first + most, stop))
            own = slice(part.start - some.start, part.stop - some.start)
            seen = self._denoise(shown, look, part, noise_seeds[own])
            restored[own, rows.kept, columns.kept] = seen[:, rows.taken, columns.taken]
        return restored

    def _denoise(
        self, slices: torch.Tensor, look: Look, some: range, noise_seeds: Sequence[tuple[int, ...]]
    ) -> torch.Tensor:
        """The same of slices (slices, rows, columns) as they are shown."""
        laid = look.orientation
        shown = laid.lay(slices[some.start : some.stop]).contiguous()
        acquisition = laid.of(ImageAcquisition.of_slices(self._degradation, look.axis, self._noise))
        if acquisition not in self._networks:
            size = batch_size((shown.shape[1], shown.shape[2]), shown.device)
            self._networks[acquisition] = BatchedDenoiser(self._prior.at(acquisition), size, Progress())
        beyond = neighbour_differences(slices, some, self._prior.denoiser.reach)
        beyond = None if beyond is None else laid.lay(beyond).contiguous()
        noise = NoiseStreams(noise_seeds, shown[0])
        return laid.lift(denoise(shown, self._networks[acquisition], self._step, noise, beyond))


def neighbour_differences(slices: torch.Tensor, some: range, reach: int) -> torch.Tensor | None:
    """What the neighbours of some slices have beyond them, (n, 2 reach, rows, columns); None where the reach is 0.

    Beyond its ends a volume repeats its last slice.

    Args:
        slices: all of a volume, (slices, rows, columns).
        some: indices of slices that follow each other.
        reach: neighbours on either side.
    """
    if not reach:
        return None
    own, last = slices[some.start : some.stop], len(slices) - 1
    offsets = [k for k in range(-reach, reach + 1) if k]
    beside = [slices[[min(max(index + k, 0), last) for index in some]] - own for k in offsets]
    return torch.stack(beside, dim=1)


def slice_change(
    volume: torch.Tensor,
    denoise: SliceRestorer,
    looks: Sequence[Look],
    progress: Progress,
) -> torch.Tensor:
    """What the prior sees in the slices of a volume beyond it: the mean over the looks − x.

    For three axes, :mod:`.weigh_details` has more to say.

    Args:
        volume: x, (z, y, x), in [0, 1].
        denoise: restores some of its slices.
        looks: see :func:`looks_along`.
        progress: advanced by one per slice and look.
    """
    restored = torch.zeros_like(volume)
    for look in looks:
        sums = restored.movedim(look.axis, 0)
        for first in range(0, len(sums), SLAB):
            some = range(first, min(first + SLAB, len(sums)))
            sums[some.start : some.stop] += denoise(volume, look, some) / len(looks)
            progress.advance(len(some))
    return restored.sub_(volume)


def looks_along(axes: Sequence[int], orientations: int) -> tuple[Look, ...]:
    """Looks along some axes, each in so many orientations."""
    return tuple(Look(axis, laid) for axis in axes for laid in ORIENTATIONS[:orientations])


def coarsest_axes(factors: Sequence[float], count: int) -> tuple[int, ...]:
    """The axes whose slices are the coarsest, which have most to gain; of equal ones the last.

    Args:
        factors: by how much the scan is coarser along (z, y, x).
        count: how many axes.
    """
    by_own_factor = sorted(range(3), key=lambda axis: (factors[axis], -axis))  # what a slice does not show
    return tuple(sorted(by_own_factor[:count]))
