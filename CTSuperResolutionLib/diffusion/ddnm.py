"""DDNM+ sampler with DDIM steps: a diffusion prior fills in the null-space of A and leaves what was measured.

Symbols, here and in the papers (DDNM: Wang et al., ICLR 2023; the CT method: arXiv 2508.15151; RePaint: Lugmayr et
al., CVPR 2022):

    y        coarse views, what was measured                ``coarse``
    up(y)    projections of the upsampled volume            ``upsampled``
    x_t      fine views with the noise of step t            ``x``
    x₀|t     the network's prediction of the fine views     ``x0``, before its measured part is replaced
    x̂₀|t     that prediction, its measured part replaced    ``x0``, after
    A        blur and sampling of the detector              ``Degradation``; A = U S Vᵀ, per axis
    A†       its pseudo-inverse, V S⁻¹ Uᵀ                   through ``RangeSpace``
    Σ_t      how much of the correction is made             ``weight``, per singular value
    Φ_t      the noise to add in the range-space            ``range_noise``, its deviation per singular value
    ᾱ_t      what is left of the signal at step t           ``prior.schedule``; a² at the next step
    σ_t      noise of the next step, √(1 − ᾱ)               ``sigma``
    ε_θ      the network's prediction of the noise          ``prior.predict_noise``
    ε        fresh standard normal noise                    ``fresh``
    η        share of fresh noise in a step                 ``eta``
    σ_y      standard deviation of the noise in y           ``sigma_y``; 0 is DDNM, anything else DDNM+
    l, r     jump length and repeats of resampling          ``JUMP_LENGTH``, ``resampling``
    θ        how near to up(y) a start has to stay          ``thresholds``

A step's noise is σ (η ε + √(1 − η²) ε_θ), as in DDNM's code. That is not DDIM's η, which scales the noise of one DDPM
step: here η = 1 replaces all noise in every step, as if x̂₀|t were a sample of p(x₀ | x_t). It is only its mean, so
some of the variance is lost: the more fresh noise, the narrower the samples, however many the steps. With η = 0 they
get the prior's own spread as steps get many. The exact network of N(0, 0.15²), from pure noise, gives this share of it:

    steps      η = 0     η = 0.5   η = 0.99
    50         0.845     0.814     0.642
    100        0.919     0.883     0.683
    1000       0.990     0.951     0.738
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch

from CTSuperResolutionLib.degradation.operator import Degradation
from CTSuperResolutionLib.diffusion.adaptive_start import find_starts
from CTSuperResolutionLib.diffusion.batched_denoiser import BatchedDenoiser
from CTSuperResolutionLib.diffusion.noise_streams import NoiseStreams
from CTSuperResolutionLib.diffusion.prior import Prior
from CTSuperResolutionLib.diffusion.range_space import RangeSpace, ddnm_plus_weights
from CTSuperResolutionLib.diffusion.sampling_times import ddim_times, function_evaluations, resampling_path
from CTSuperResolutionLib.job.events import Progress

CLIP = (-1.0, 1.1)  # of x₀|t: [0, 1.05] of the calibrated intensity range, as in the paper, in [−1, 1] units


@dataclass(frozen=True)
class SamplerSettings:
    """Settings of the sampler.

    Attributes:
        steps: DDIM steps.
        start_step: diffusion step t of the first one. Below the prior's last step, sampling starts from the
            upsampled views with the noise of that step: their large structures then stay as they are. 0 starts from
            the views themselves, without noise.
        eta: η, 0 to 1. sigma_y: σ_y, in units of the calibrated intensity range [0, 1].
        resampling: r, how often each step is done (RePaint; DDNM's time-travel); 1 is straight on.
        thresholds: θ of every view for the adaptive start (:mod:`.adaptive_start`); empty: all start at ``start_step``.
        batch: views restored at once; fewer where memory runs out.
        seed: of all noise; every sample of a view has a noise stream of its own, whatever the batches are.
        sample: which of a view's samples this is.
    """

    steps: int
    start_step: int
    eta: float
    sigma_y: float
    resampling: int
    thresholds: tuple[float, ...]
    batch: int
    seed: int
    sample: int = 0


def restore(
    coarse: torch.Tensor,
    upsampled: torch.Tensor,
    degradation: Degradation,
    prior: Prior,
    settings: SamplerSettings,
    *,
    brightest: float | None = None,
    progress: Progress | None = None,
) -> torch.Tensor:
    """Fine views whose degradation is the coarse ones and whose null-space part the prior drew.

    Args:
        coarse: y, (views, v, u), line integrals of any unit.
        upsampled: projections of the upsampled volume, (views, V, U), same unit: where sampling starts.
        degradation: A over (V, U).
        prior: moves with its network's device, where the work is done.
        settings: see :class:`SamplerSettings`.
        brightest: value that is 1 for the prior in all views alike; their largest where None.
        progress: advanced by :func:`sampler_steps` in all, whenever the network has seen some views.

    Returns:
        x̂₀, (views, V, U), in the unit of the input.

    Raises:
        JobError: memory does not hold the network's work on a single view.
    """
    brightest = brightest or float(upsampled.max()) or 1.0  # nothing but air: any scale will do
    y = coarse / brightest * 2 - 1
    # The first step already sees the measured part sharpened.
    start = degradation.enforce(upsampled / brightest * 2 - 1, y)
    restored = _Sampler(y, start, degradation, prior, settings, progress or Progress()).draw()
    return (restored + 1) / 2 * brightest


def sampler_steps(settings: SamplerSettings, views: int) -> int:
    """Number of steps by which :func:`restore` advances its progress, one for each view at each evaluation."""
    return views * function_evaluations(settings.steps, settings.resampling, adaptive=bool(settings.thresholds))


class _Sampler:
    """DDIM runs of views in [−1, 1], which doubles σ_y."""

    def __init__(
        self,
        y: torch.Tensor,
        start: torch.Tensor,
        degradation: Degradation,
        prior: Prior,
        settings: SamplerSettings,
        progress: Progress,
    ) -> None:
        self._schedule = prior.schedule
        self._times = ddim_times(min(settings.start_step, len(prior.schedule) - 1), settings.steps)
        self._alphas = [prior.schedule.alpha_cumprod(t) for t in self._times] + [1.0]  # then of the clean view
        self._space = RangeSpace(degradation, start)
        self._measured = self._space.measured(y)
        self._start = start
        self._settings = settings
        self._denoiser = BatchedDenoiser(prior, settings.batch, progress)
        self._progress = progress

    def draw(self) -> torch.Tensor:
        """One sample of every view, (views, V, U)."""
        starts = self._starts()
        restored = torch.empty_like(self._start)
        for first in sorted(set(starts)):
            for views in self._denoiser.split([view for view, s in enumerate(starts) if s == first]):
                restored[views] = self._run(views, first)
        return restored

    def _noise(self, views: list[int]) -> NoiseStreams:
        return NoiseStreams([(self._settings.seed, view, self._settings.sample) for view in views], self._start[0])

    def _starts(self) -> list[int]:
        """The position among the DDIM times at which each view starts."""
        starts = [0] * len(self._start)
        if not self._settings.thresholds:
            return starts
        for views in self._denoiser.split(range(len(starts))):
            for view, position in zip(views, self._adaptive_starts(views), strict=True):
                starts[view] = position
        self._skip(starts)
        return starts

    def _adaptive_starts(self, views: list[int]) -> list[int]:
        measured = self._measured[views]

        def estimate(x: torch.Tensor, some: list[int], position: int) -> torch.Tensor:
            return self._estimate(x, measured[some], position)[0]

        return find_starts(
            self._start[views],
            self._noise(views).draw(),  # the run draws the same again
            self._schedule,
            self._times,
            [self._settings.thresholds[view] for view in views],
            CLIP,
            estimate,
        )

    def _skip(self, starts: Sequence[int]) -> None:
        """Count as done what an adaptive start saves of the steps that were announced."""
        steps, repeats = self._settings.steps, self._settings.resampling
        for start in starts:
            needed = min(start + 1, steps - 1) + function_evaluations(steps - start, repeats)
            self._progress.advance(function_evaluations(steps, repeats, adaptive=True) - needed)

    def _estimate(
        self, x: torch.Tensor, measured: torch.Tensor, position: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(x̂₀|t, ε_θ, deviation of the range-space noise to add) of x_t at a position among the DDIM times."""
        time, following = self._times[position], self._alphas[position + 1]
        # 1. The network's prediction of the clean view: x₀|t = (x_t − √(1 − ᾱ) ε_θ) / √ᾱ  (DDNM, eq. 12).
        predicted_noise = self._denoiser.predict_noise(x, time)
        x0 = self._schedule.predict_x0(x, predicted_noise, time).clamp(*CLIP)
        # 2. Its measured part is replaced: x̂₀|t = x₀|t − V Λ (Vᵀ x₀|t − S⁻¹ Uᵀ y)  (DDNM, eq. 17; eq. 2 of the CT
        #    method). With σ_y = 0 Λ is 1 and that is A†y + (I − A†A) x₀|t  (DDNM, eq. 13; eq. 1 of the CT method).
        a, sigma = math.sqrt(following), math.sqrt(1 - following)
        sigma_y = 2 * self._settings.sigma_y
        weight, range_noise = ddnm_plus_weights(self._space.singular_values, a, sigma, self._settings.eta, sigma_y)
        x0 = x0 - self._space.synthesize(weight * (self._space.coordinates(x0) - measured))
        return x0, predicted_noise, range_noise

    def _run(self, views: list[int], first: int) -> torch.Tensor:
        """Sample some views from position ``first`` among the DDIM times on."""
        noise, measured, start = self._noise(views), self._measured[views], self._start[views]
        eta, times, alphas = self._settings.eta, self._times[first:], self._alphas[first:]
        # 0. The start: x_t = √ᾱ up(y) + √(1 − ᾱ) ε, or √ᾱ up(y) alone.
        if self._settings.start_step:
            x = self._schedule.add_noise(start, noise.draw(), times[0])
        else:
            x = self._schedule.mean(start, times[0])
        for here, there in pairwise(resampling_path(len(times), self._settings.resampling)):
            if there < here:
                # 4. Resampling: x_{t+l} ~ q(x_{t+l} | x_t)  (RePaint, algorithm 1; DDNM, section 3.3).
                x = self._schedule.renoise(x, noise.draw(), step=times[here], to=times[there])
                continue
            x0, predicted_noise, range_noise = self._estimate(x, measured, first + here)
            a, sigma = math.sqrt(alphas[there]), math.sqrt(1 - alphas[there])
            if sigma == 0:
                x = x0
                break
            # 3. On to the next step, x = √ᾱ' x̂₀|t + σ (η ε + √(1 − η²) ε_θ)  (DDNM, eq. 14, its noise split as DDIM
            #    does); where y is noisy, only what its own noise leaves to add in the range-space  (DDNM, eq. 18-19).
            fresh = noise.draw()
            step_noise = sigma * (eta * fresh + math.sqrt(1 - eta**2) * predicted_noise)
            x = a * x0 + step_noise
            if self._settings.sigma_y:
                change = range_noise * self._space.coordinates(fresh) - self._space.coordinates(step_noise)
                x = x + self._space.synthesize(change)
        return x
