"""From the sharpened volume to views that the prior restored, agreeing with the scan and with each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from CTSuperResolutionLib.degradation import Degradation
from CTSuperResolutionLib.diffusion.adaptive import start_thresholds
from CTSuperResolutionLib.diffusion.batches import Batches, batch_size
from CTSuperResolutionLib.diffusion.ddnm import SamplerSettings, restore, sampler_steps
from CTSuperResolutionLib.diffusion.images import guess_clean
from CTSuperResolutionLib.diffusion.noise_streams import NoiseStreams
from CTSuperResolutionLib.diffusion.prior import Prior
from CTSuperResolutionLib.geometry import ScanGeometry
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.parameters import Parameters
from CTSuperResolutionLib.projection import project
from CTSuperResolutionLib.projection.least_squares import least_squares
from CTSuperResolutionLib.slices import restore_slices


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
        self._networks: dict[tuple[int, ...], Batches] = {}

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
                    lambda slices, axis, first: self._looked_at(slices, (self._seed, sample, axis, first)),
                    slice_gain(self._p, self._degradation),
                    self._progress.advance,
                )
            )
            volume_views = project(volume, self._spacing, self._geometry, progress=self._progress)
        drawn = restore(measured, volume_views, self._degradation, self._prior, settings, progress=self._progress)
        # Part of what a weak prior draws is wrong; Wiener's factor, correlation over energy, says what to keep.
        return torch.lerp(volume_views, drawn, self._p.null_space), volume, volume_views

    def reconstruct(self, views: torch.Tensor, volume: torch.Tensor, volume_views: torch.Tensor) -> torch.Tensor:
        """The volume that restored views give, (z, y, x)."""
        return volume + least_squares(
            views - volume_views, volume.shape, self._spacing, self._geometry, progress=self._progress
        )

    def _looked_at(self, slices: torch.Tensor, stream: tuple[int, ...]) -> torch.Tensor:
        shape = slices.shape[1:]
        if shape not in self._networks:  # kept, with what it learns of the memory there is
            self._networks[shape] = Batches(self._prior, batch_size(shape, slices.device), Progress())
        noise = NoiseStreams([(*stream, k) for k in range(len(slices))], slices[0])
        step = min(self._p.start_step, len(self._prior.alphas_cumprod) - 1)
        return guess_clean(slices, self._networks[shape], step, noise)


def slice_gain(p: Parameters, degradation: Degradation) -> float:
    """How much of what the prior sees in slices is added: all of ``slice_gain`` up to a factor of 4.

    The coarser a scan, the less of it is certain: beyond 4 what exceeds 1 falls with the square of the factor.
    """
    factor = max((axis.matrix.shape[1] / axis.matrix.shape[0] for axis in degradation.axes if axis), default=1.0)
    beyond_one = max(p.slice_gain - 1, 0.0)
    return min(p.slice_gain, 1.0) + beyond_one * min(1.0, 4 / factor) ** 2


def sampler_settings(
    p: Parameters, geometry: ScanGeometry, device: torch.device, *, seed: int, sample: int
) -> SamplerSettings:
    """How one sample of the views is drawn."""
    return SamplerSettings(
        steps=p.ddim_steps,
        start_step=p.start_step,
        eta=p.eta,
        sigma_y=p.sigma_y if p.restorer == "ddnm+" else 0.0,
        time_travel=p.time_travel,
        thresholds=start_thresholds(geometry.angles, p.adaptive_frontal, p.adaptive_lateral),
        batch=batch_size(geometry.detector_shape, device),
        seed=seed,
        sample=sample,
    )


def restoration_steps(p: Parameters, geometry: ScanGeometry, shape: tuple[int, int, int]) -> int:
    """How often :func:`restore_views` advances its progress."""
    settings = sampler_settings(p, geometry, torch.device("cpu"), seed=0, sample=0)
    sampling = sampler_steps(settings, p.views)
    slices = sum(shape) + p.views if p.slice_gain else 0
    reconstruction = 2 * p.views if p.samples > 1 else 0
    return p.samples * (slices + sampling + reconstruction)
