"""Stage 3a: the prior restores slices: X-ray images of a thin object, where what views superimpose lies apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from CTSuperResolutionLib.degradation.operator import Degradation
from CTSuperResolutionLib.diffusion.batched_denoiser import BatchedDenoiser, batch_size
from CTSuperResolutionLib.diffusion.denoise import denoise
from CTSuperResolutionLib.diffusion.networks.image_acquisition import ImageAcquisition
from CTSuperResolutionLib.diffusion.noise_streams import NoiseStreams
from CTSuperResolutionLib.diffusion.prior import Prior
from CTSuperResolutionLib.job.events import Progress

SLAB = 16  # slices restored together
PIXELS = 1 << 21  # of slices that are in memory for the prior at once


class SliceDenoiser:
    """Denoises slices along any axis with a prior that is told how they were measured.

    Args:
        prior: what denoises.
        degradation: of the volume, A along (z, y, x).
        noise: standard deviation of the scan's noise on the scale [0, 1].
        step: diffusion step t; 0 shows the prior the slices as they are.
    """

    def __init__(self, prior: Prior, degradation: Degradation, noise: float, step: int) -> None:
        self._prior, self._degradation, self._noise = prior, degradation, noise
        self._step = min(step, len(prior.schedule) - 1)
        self._networks: dict[int, BatchedDenoiser] = {}  # by axis; kept, with what each learns of the memory there is

    def denoise(
        self, volume: torch.Tensor, axis: int, some: range, noise_seeds: Sequence[tuple[int, ...]]
    ) -> torch.Tensor:
        """x₀|t of some of a volume's slices along an axis, each with the noise of its seed, (n, rows, columns).

        Args:
            volume: (z, y, x), in [0, 1].
            axis: of the volume. some: indices of slices that follow each other.
        """
        slices = volume.movedim(axis, 0)
        most = max(1, PIXELS // slices[0].numel())
        if len(some) > most:
            first = range(some.start, some.start + most)
            rest = range(first.stop, some.stop)
            done = self.denoise(volume, axis, first, noise_seeds[:most])
            return torch.cat([done, self.denoise(volume, axis, rest, noise_seeds[most:])])
        shown = slices[some.start : some.stop].contiguous()
        if axis not in self._networks:
            prior = self._prior.at(ImageAcquisition.of_slices(self._degradation, axis, self._noise))
            size = batch_size((shown.shape[1], shown.shape[2]), shown.device)
            self._networks[axis] = BatchedDenoiser(prior, size, Progress())
        beyond = neighbour_differences(slices, some, self._prior.denoiser.reach)
        return denoise(shown, self._networks[axis], self._step, NoiseStreams(noise_seeds, shown[0]), beyond)


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


def restore_slices(
    volume: torch.Tensor,
    denoise: Callable[[torch.Tensor, int, range], torch.Tensor],
    gain: float,
    axes: Sequence[int],
    progress: Progress,
) -> torch.Tensor:
    """A volume with what the prior sees in its slices along some axes: x + g · (mean over the axes − x).

    Of what is invented in a slice alone, averaging over three axes takes two thirds away. A gain above 1 makes up for
    what that takes from details that only one or two of the directions show.

    Args:
        volume: x, (z, y, x), in [0, 1].
        denoise: restores some slices of the volume, (n, rows, columns) in [0, 1]; told the axis and which.
        gain: g.
        axes: see :func:`coarsest_axes`.
        progress: advanced by one per slice.
    """
    restored = torch.zeros_like(volume)
    for axis in axes:
        sums = restored.movedim(axis, 0)
        for first in range(0, len(sums), SLAB):
            some = range(first, min(first + SLAB, len(sums)))
            sums[some.start : some.stop] += denoise(volume, axis, some) / len(axes)
            progress.advance(len(some))
    return restored.mul_(gain).add_(volume, alpha=1 - gain)  # in place: volumes limit the size of a job


def coarsest_axes(factors: Sequence[float], count: int) -> tuple[int, ...]:
    """The axes whose slices are the coarsest, which have most to gain; of equal ones the last.

    Args:
        factors: by how much the scan is coarser along (z, y, x).
        count: how many axes.
    """
    by_own_factor = sorted(range(3), key=lambda axis: (factors[axis], -axis))  # what a slice does not show
    return tuple(sorted(by_own_factor[:count]))
