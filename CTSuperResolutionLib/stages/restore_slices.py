"""Stage 3a: the prior restores slices: X-ray images of a thin object, where what views superimpose lies apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from CTSuperResolutionLib.diffusion.batched_denoiser import BatchedDenoiser, batch_size
from CTSuperResolutionLib.diffusion.denoise import denoise
from CTSuperResolutionLib.diffusion.noise_streams import NoiseStreams
from CTSuperResolutionLib.diffusion.prior import Prior
from CTSuperResolutionLib.job.events import Progress

SLAB = 16  # slices restored together


class SliceDenoiser:
    """Denoises slices along any axis with a prior that is told how coarse they are.

    Args:
        prior: what denoises.
        factors: by how much the scan is coarser along (z, y, x).
        step: diffusion step t; 0 shows the prior the slices as they are.
    """

    def __init__(self, prior: Prior, factors: tuple[float, float, float], step: int) -> None:
        self._prior, self._factors = prior, factors
        self._step = min(step, len(prior.schedule) - 1)
        self._networks: dict[int, BatchedDenoiser] = {}  # by axis; kept, with what each learns of the memory there is

    def denoise(self, slices: torch.Tensor, axis: int, noise_seeds: Sequence[tuple[int, ...]]) -> torch.Tensor:
        """x₀|t of slices (n, rows, columns) in [0, 1] along an axis, each with the noise of its seed."""
        if axis not in self._networks:
            prior = self._prior.at(self._factors[:axis] + self._factors[axis + 1 :])
            size = batch_size((slices.shape[1], slices.shape[2]), slices.device)
            self._networks[axis] = BatchedDenoiser(prior, size, Progress())
        return denoise(slices, self._networks[axis], self._step, NoiseStreams(noise_seeds, slices[0]))


def restore_slices(
    volume: torch.Tensor,
    denoise: Callable[[torch.Tensor, int, int], torch.Tensor],
    gain: float,
    axes: Sequence[int],
    progress: Progress,
) -> torch.Tensor:
    """A volume with what the prior sees in its slices along some axes: x + g · (mean over the axes − x).

    Of what is invented in a slice alone, averaging over three axes takes two thirds away. A gain above 1 makes up for
    what that takes from details that only one or two of the directions show.

    Args:
        volume: x, (z, y, x), in [0, 1].
        denoise: restores slices (n, rows, columns) in [0, 1]; told the axis and the index of the first one.
        gain: g.
        axes: see :func:`coarsest_axes`.
        progress: advanced by one per slice.
    """
    restored = torch.zeros_like(volume)
    for axis in axes:
        slices, sums = volume.movedim(axis, 0), restored.movedim(axis, 0)
        for first in range(0, len(slices), SLAB):
            slab = slice(first, first + SLAB)
            sums[slab] += denoise(slices[slab].contiguous(), axis, first) / len(axes)
            progress.advance(len(slices[slab]))
    return torch.lerp(volume, restored, gain)


def coarsest_axes(factors: Sequence[float], count: int) -> tuple[int, ...]:
    """The axes whose slices are the coarsest, which have most to gain; of equal ones the last.

    Args:
        factors: by how much the scan is coarser along (z, y, x).
        count: how many axes.
    """
    by_own_factor = sorted(range(3), key=lambda axis: (factors[axis], -axis))  # what a slice does not show
    return tuple(sorted(by_own_factor[:count]))
