"""From the sharpened volume to views that the prior restored, agreeing with the scan and with each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from CTSuperResolutionLib.degradation.operator import Degradation
from CTSuperResolutionLib.diffusion.adaptive_start import start_thresholds
from CTSuperResolutionLib.diffusion.batching import Batches, batch_size
from CTSuperResolutionLib.diffusion.ddnm import SamplerSettings, restore, sampler_steps
from CTSuperResolutionLib.diffusion.denoise import guess_clean
from CTSuperResolutionLib.diffusion.noise_streams import NoiseStreams
from CTSuperResolutionLib.diffusion.prior import Prior
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.parameters import Parameters
from CTSuperResolutionLib.projection import project
from CTSuperResolutionLib.projection.filtered_least_squares import least_squares
from CTSuperResolutionLib.projection.geometry import ScanGeometry
from CTSuperResolutionLib.stages.restore_slices import coarsest_axes, restore_slices


@dataclass(frozen=True, eq=False)
class RestoredViews:
    """What the prior makes of a scan; all are means over its samples.

    Attributes:
        views: restored, (views, v, u), value x mm.
        volume: the sharpened volume with what the prior saw in its slices, (z, y, x), in [0, 1].
        volume_views: its projections: what the views were before they were restored.
        uncertainty: standard deviation over the samples of the volume that each one's views give, (z, y, x), in
            [0, 1] (n − 1 in the denominator); None for a single sample.
    """

    views: torch.Tensor
    volume: torch.Tensor
    volume_views: torch.Tensor
    uncertainty: torch.Tensor | None


def restore_views(
    volume: torch.Tensor,
    volume_views: torch.Tensor,
    spacing: tuple[float, float, float],
    geometry: ScanGeometry,
    degradation: Degradation,
    prior: Prior,
    p: Parameters,
    *,
    seed: int,
    agree: Callable[[torch.Tensor], torch.Tensor],
    progress: Progress,
) -> RestoredViews:
    """Restore the slices of a volume, and then its views.

    Views that are drawn one by one invent details of their own, which the volume averages away. What the slices gave
    is in the volume before it is projected, so all views agree on it.

    Args:
        volume: sharpened, (z, y, x), in [0, 1]. volume_views: its projections, (views, v, u), value x mm.
        spacing: mm, (z, y, x). geometry: of the views. degradation: A over the detector.
        prior: what restores. p: how. seed: of all that is drawn.
        agree: makes a volume in [0, 1] agree with the scan.
        progress: advanced by :func:`restoration_steps`.
    """
    restoration = _Restoration(spacing, geometry, degradation, prior, p, seed, agree, progress)
    if p.samples == 1:
        return RestoredViews(*restoration.draw(volume, volume_views, 0), uncertainty=None)
    sums = [torch.zeros_like(array) for array in (volume_views, volume, volume_views)]
    mean, squares = torch.zeros_like(volume), torch.zeros_like(volume)
    for sample in range(p.samples):
        drawn = restoration.draw(volume, volume_views, sample)
        for total, array in zip(sums, drawn, strict=True):
            total += array / p.samples
        # Welford's way: mean and variance in one pass, no sample kept.
        beyond = restoration.reconstruct(*drawn) - mean
        mean += beyond / (sample + 1)
        squares += beyond.square() * (sample / (sample + 1))
    return RestoredViews(*sums, uncertainty=(squares / (p.samples - 1)).sqrt())


class _Restoration:
    def __init__(self, spacing, geometry, degradation, prior, p, seed, agree, progress) -> None:  # noqa: ANN001
        self._spacing, self._geometry, self._degradation, self._agree = spacing, geometry, degradation, agree
        self._prior, self._p, self._seed, self._progress = prior, p, seed, progress
        self._factors = volume_factors(degradation)
        self._networks: dict[int, Batches] = {}

    def draw(
        self, volume: torch.Tensor, volume_views: torch.Tensor, sample: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """One sample: restored views, the volume they were taken from, and its projections."""
        settings = sampler_settings(self._p, self._geometry, volume.device, seed=self._seed, sample=sample)
        measured = self._degradation.apply(volume_views)
        if self._p.slice_gain:
            volume = self._agree(
                restore_slices(
                    volume,
                    lambda slices, axis, first: self._looked_at(slices, axis, (self._seed, sample, axis, first)),
                    self._p.slice_gain,
                    coarsest_axes(self._factors, self._p.slice_axes),
                    self._progress.advance,
                )
            )
            volume_views = project(volume, self._spacing, self._geometry, progress=self._progress)
        prior = self._prior.at(self._degradation.factors)
        drawn = restore(measured, volume_views, self._degradation, prior, settings, progress=self._progress)
        # Part of what a weak prior draws is wrong; Wiener's factor, correlation over energy, says what to keep.
        return torch.lerp(volume_views, drawn, self._p.null_space), volume, volume_views

    def reconstruct(self, views: torch.Tensor, volume: torch.Tensor, volume_views: torch.Tensor) -> torch.Tensor:
        """The volume that restored views give, (z, y, x)."""
        return volume + least_squares(
            views - volume_views, volume.shape, self._spacing, self._geometry, progress=self._progress
        )

    def _looked_at(self, slices: torch.Tensor, axis: int, stream: tuple[int, ...]) -> torch.Tensor:
        if axis not in self._networks:  # kept, with what it learns of the memory there is
            prior = self._prior.at(self._factors[:axis] + self._factors[axis + 1 :])
            self._networks[axis] = Batches(prior, batch_size(slices.shape[1:], slices.device), Progress())
        noise = NoiseStreams([(*stream, k) for k in range(len(slices))], slices[0])
        step = min(self._p.start_step, len(self._prior.alphas_cumprod) - 1)
        return guess_clean(slices, self._networks[axis], step, noise)


def volume_factors(degradation: Degradation) -> tuple[float, float, float]:
    """By how much a scan is coarser along (z, y, x), from its views: their rows follow each other along z."""
    through_plane, in_plane = degradation.factors
    return through_plane, in_plane, in_plane


def sampler_settings(
    p: Parameters, geometry: ScanGeometry, device: torch.device, *, seed: int, sample: int
) -> SamplerSettings:
    """How one sample of the views is drawn."""
    return SamplerSettings(
        steps=p.ddim_steps,
        start_step=p.start_step,
        eta=p.eta,
        sigma_y=p.sigma_y,
        time_travel=p.time_travel,
        thresholds=start_thresholds(geometry.angles, p.adaptive_frontal, p.adaptive_lateral),
        batch=batch_size(geometry.detector_shape, device),
        seed=seed,
        sample=sample,
    )


def restoration_steps(
    p: Parameters, geometry: ScanGeometry, degradation: Degradation, shape: tuple[int, int, int]
) -> int:
    """How often :func:`restore_views` advances its progress for a volume of that shape, (z, y, x)."""
    settings = sampler_settings(p, geometry, torch.device("cpu"), seed=0, sample=0)
    sampling = sampler_steps(settings, p.views)
    axes = coarsest_axes(volume_factors(degradation), p.slice_axes)
    slices = sum(shape[axis] for axis in axes) + p.views if p.slice_gain else 0
    reconstruction = 2 * p.views if p.samples > 1 else 0
    return p.samples * (slices + sampling + reconstruction)
