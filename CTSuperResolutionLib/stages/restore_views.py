"""Stage 3: the prior restores the views of the data-consistent volume, after its slices."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch

from CTSuperResolutionLib.degradation.operator import Degradation
from CTSuperResolutionLib.degradation.upsampling import VIEW_UPSAMPLING
from CTSuperResolutionLib.diffusion.adaptive_start import start_thresholds
from CTSuperResolutionLib.diffusion.batched_denoiser import batch_size
from CTSuperResolutionLib.diffusion.ddnm import SamplerSettings, restore, sampler_steps
from CTSuperResolutionLib.diffusion.networks.image_acquisition import ImageAcquisition
from CTSuperResolutionLib.diffusion.prior import Prior
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.parameters import Parameters
from CTSuperResolutionLib.projection.projector import Projector
from CTSuperResolutionLib.stages.matter_windows import Windows
from CTSuperResolutionLib.stages.project_volume import ProjectedVolume
from CTSuperResolutionLib.stages.restore_slices import (
    ALONG_TWO,
    Look,
    SliceDenoiser,
    coarsest_axes,
    looks_along,
    slice_change,
)
from CTSuperResolutionLib.stages.weigh_details import weighed_change


class Consistency(Protocol):
    """What makes a volume agree with the scan, and how that was measured: an UpsampledScan."""

    @property
    def degradation(self) -> Degradation:
        """A along (z, y, x)."""

    @property
    def unit_noise(self) -> float:
        """Standard deviation of the scan's noise on the scale [0, 1]."""

    @property
    def brightest(self) -> float:
        """Largest line integral through the scan on the scale [0, 1], mm."""

    @property
    def windows(self) -> Windows:
        """Where there is more than air."""

    def spare_ringing(self, change: torch.Tensor, unit: torch.Tensor) -> torch.Tensor:
        """A change of a volume in [0, 1] without what would add to its ringing, in its place."""

    def enforce_unit(self, unit: torch.Tensor, progress: Progress) -> torch.Tensor:
        """A volume in [0, 1] made consistent with the scan, in its place. Advances by one a round of consistency."""


@dataclass(frozen=True, eq=False)
class Restored:
    """What the prior makes of a scan; all are means over its samples.

    Attributes:
        views: restored, (views, v, u), value x mm.
        start: the volume with its slices restored, and its projections: what the views were before.
        uncertainty: standard deviation over the samples of the volume that each one's views give, (z, y, x), in
            [0, 1] (n − 1 in the denominator); None for a single sample.
    """

    views: torch.Tensor
    start: ProjectedVolume
    uncertainty: torch.Tensor | None = None


@dataclass(frozen=True, eq=False)
class Restorer:
    """Restores the slices of a volume, and then its views.

    Views that are drawn one by one invent details of their own, which the volume averages away. What the slices gave
    is in the volume before it is projected, so all views agree on it.

    Attributes:
        prior: what restores.
        consistency: of volumes with the scan.
        projector: volumes to views. degradation: A over the detector.
        p: how. seed: of all that is drawn.
    """

    prior: Prior
    consistency: Consistency
    projector: Projector
    degradation: Degradation
    p: Parameters
    seed: int

    def restore(self, start: ProjectedVolume, progress: Progress) -> Restored:
        """Restore a volume and its views; progress advances by :attr:`steps`."""
        if self.p.samples == 1:
            held = [start]
            del start  # so that no frame keeps what is not needed any more: volumes limit the size of a job
            return self._draw(held.pop(), 0, progress)
        samples = self.p.samples
        views, volume, volume_views = (torch.zeros_like(a) for a in (start.views, start.volume, start.views))
        mean, squares = torch.zeros_like(start.volume), torch.zeros_like(start.volume)
        for sample in range(samples):
            drawn = self._draw(start, sample, progress)
            views += drawn.views / samples
            volume += drawn.start.volume / samples
            volume_views += drawn.start.views / samples
            # Welford's way: mean and variance in one pass, no sample kept.
            beyond = self._reconstruct(drawn, progress) - mean
            mean += beyond / (sample + 1)
            squares += beyond.square() * (sample / (sample + 1))
        return Restored(views, ProjectedVolume(volume, volume_views), (squares / (samples - 1)).sqrt())

    @property
    def steps(self) -> int:
        """How often :meth:`restore` advances its progress."""
        p = self.p
        sampling = sampler_steps(self._settings(torch.device("cpu"), 0), p.views)
        slices = 0
        if p.slice_gain:
            slices = sum(self.projector.grid.shape[look.axis] for look in self._looks) + p.consistency_rounds + p.views
        reconstruction = 2 * p.views if p.samples > 1 else 0
        return p.samples * (slices + sampling + reconstruction)

    def _draw(self, start: ProjectedVolume, sample: int, progress: Progress) -> Restored:
        """One sample."""
        measured = self.degradation.A(start.views)
        if self.p.slice_gain:
            held = [start.volume]
            del start  # as above
            start = ProjectedVolume.of(self._restore_slices(held.pop(), sample, progress), self.projector, progress)
        prior = self.prior.at(ImageAcquisition.of_views(self.degradation, self.consistency.unit_noise))
        settings = self._settings(start.volume.device, sample)
        brightest = self.consistency.brightest
        drawn = restore(
            measured, start.views, self.degradation, prior, settings, brightest=brightest, progress=progress
        )
        # Part of what a weak prior draws is wrong; Wiener's factor, correlation over energy, says what to keep.
        return Restored(torch.lerp(start.views, drawn, self.p.null_space), start)

    def _restore_slices(self, volume: torch.Tensor, sample: int, progress: Progress) -> torch.Tensor:
        def denoise(volume: torch.Tensor, look: Look, some: range) -> torch.Tensor:
            seeds = [(self.seed, sample, look.axis, some.start, k) for k in range(len(some))]
            return self._denoiser.denoise(volume, look, some, seeds)

        if self.p.slice_axes == 3:
            change = weighed_change(volume, denoise, self._looks, self.consistency.degradation, progress)
        else:
            change = slice_change(volume, denoise, self._looks, progress)
            change *= ALONG_TWO if self.p.slice_axes == 2 else 1
        change = self.consistency.spare_ringing(change, volume)
        change = change.mul_(self.p.slice_gain).add_(volume)
        del volume  # so that no frame keeps what is not needed any more: volumes limit the size of a job
        return self.consistency.enforce_unit(change, progress)

    def _reconstruct(self, drawn: Restored, progress: Progress) -> torch.Tensor:
        """The volume that one sample's views give, (z, y, x)."""
        change = self.projector.reconstruct(drawn.views - drawn.start.views, progress=progress)
        return drawn.start.volume + change

    @cached_property
    def _denoiser(self) -> SliceDenoiser:
        told = self.consistency.degradation, self.consistency.unit_noise, self.consistency.windows
        return SliceDenoiser(self.prior, *told, self.p.start_step)

    @property
    def _looks(self) -> tuple[Look, ...]:
        axes = coarsest_axes(self.consistency.degradation.factors, self.p.slice_axes)
        return looks_along(axes, self.p.slice_orientations)

    def _settings(self, device: torch.device, sample: int) -> SamplerSettings:
        return sampler_settings(self.p, self.projector, device, seed=self.seed, sample=sample)


def interpolate_views(start: ProjectedVolume, degradation: Degradation, p: Parameters) -> Restored:
    """Restoration without the prior: views as they are, or degraded and interpolated for comparison."""
    views = start.views
    if p.view_restoration in VIEW_UPSAMPLING:
        views = VIEW_UPSAMPLING[p.view_restoration](degradation.A(views), [round(f) for f in degradation.factors])
    return Restored(views, start)


def sampler_settings(
    p: Parameters, projector: Projector, device: torch.device, *, seed: int, sample: int
) -> SamplerSettings:
    """How one sample of the views is drawn."""
    return SamplerSettings(
        steps=p.ddim_steps,
        start_step=p.start_step,
        eta=p.eta,
        sigma_y=p.sigma_y,
        resampling=p.time_travel,
        thresholds=start_thresholds(projector.geometry.angles, p.adaptive_frontal, p.adaptive_lateral),
        batch=batch_size(projector.geometry.detector_shape, device),
        seed=seed,
        sample=sample,
    )
