"""DDNM+ with DDIM steps: a diffusion prior fills in what the scanner did not measure, and touches nothing else.

Symbols, here and in the papers (DDNM: Wang et al., ICLR 2023; the CT method: arXiv 2508.15151):

    y        coarse views, what was measured         ``coarse``
    x_t      fine views with the noise of step t     ``x``
    A        blur and sampling of the detector       ``Degradation``; A = U S Vᵀ, per axis
    A†       its pseudo-inverse, V S⁻¹ Uᵀ            through ``RangeSpace``
    ᾱ_t      what is left of the signal at step t    ``prior.alphas_cumprod``
    ε_θ      the network's guess of the noise        ``prior.predict_noise``
    η        share of fresh noise in a DDIM step     ``eta``
    σ_y      standard deviation of the noise in y    ``sigma_y``
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from CTSuperResolutionLib.degradation import Degradation
from CTSuperResolutionLib.diffusion.prior import Prior
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.linear import apply_along_axes

BRIGHTEST = 1.05  # x̂₀ is clipped to [0, 1.05] of the calibrated intensity range, as in the paper


@dataclass(frozen=True)
class SamplerSettings:
    """How the views are sampled.

    Attributes:
        steps: DDIM steps.
        start_step: diffusion step t of the first one. Below the prior's last step, sampling starts from the
            upsampled views with the noise of that step: their large structures then stay as they are.
        eta: η. sigma_y: σ_y, in units of the calibrated intensity range [0, 1].
        batch: views restored at once.
        seed: of all noise; every view has a noise stream of its own, whatever the batches are.
    """

    steps: int
    start_step: int
    eta: float
    sigma_y: float
    batch: int
    seed: int


class RangeSpace:
    """Coordinates in which A is diagonal: c = Vᵀ x, one per measured pattern of the detector."""

    def __init__(self, degradation: Degradation, like: torch.Tensor) -> None:
        parts = [None if axis is None else axis.svd for axis in degradation.axes]
        self._left = [part and part[0].T for part in parts]
        self._right = [part and part[2] for part in parts]
        # An untouched axis is measured as it is: singular value 1 everywhere.
        values = [np.ones(n) if p is None else p[1] for p, n in zip(parts, like.shape[-2:], strict=True)]
        self.singular_values = torch.as_tensor(np.multiply.outer(*values)).to(like)

    def coordinates(self, fine: torch.Tensor) -> torch.Tensor:
        """Vᵀ x of fine views (n, v, u)."""
        return apply_along_axes(self._right, fine)

    def measured(self, coarse: torch.Tensor) -> torch.Tensor:
        """Vᵀ A† y = S⁻¹ Uᵀ y of coarse views: where the coordinates have to be."""
        return apply_along_axes(self._left, coarse) / self.singular_values

    def synthesize(self, coordinates: torch.Tensor) -> torch.Tensor:
        """V c: the part of fine views that A can see."""
        return apply_along_axes([m if m is None else m.T for m in self._right], coordinates)


def restore(
    coarse: torch.Tensor,
    upsampled: torch.Tensor,
    degradation: Degradation,
    prior: Prior,
    settings: SamplerSettings,
    *,
    progress: Progress | None = None,
) -> torch.Tensor:
    """Fine views whose degradation is the coarse ones and whose null-space part the prior drew.

    Args:
        coarse: y, (views, v, u), line integrals of any unit.
        upsampled: projections of the upsampled volume, (views, V, U), same unit: where sampling starts, and what
            calibrates the intensities of all views alike.
        degradation: A over (V, U).
        prior: moves with its network's device, where the work is done.
        settings: see :class:`SamplerSettings`.
        progress: advanced once a batch and step.

    Returns:
        x̂₀, (views, V, U), in the unit of the input.
    """
    progress = progress or Progress()
    brightest = float(upsampled.max()) or 1.0  # nothing but air: any scale will do
    y = coarse / brightest * 2 - 1
    # The first step already sees the measured part sharpened.
    start = degradation.consistent(upsampled / brightest * 2 - 1, y)
    space = RangeSpace(degradation, upsampled)
    restored = torch.empty_like(upsampled)
    for first in range(0, len(y), settings.batch):
        batch = slice(first, min(first + settings.batch, len(y)))
        noise = NoiseStreams([(settings.seed, view) for view in range(batch.start, batch.stop)], start[0])
        restored[batch] = _sample(space.measured(y[batch]), start[batch], space, prior, settings, noise, progress)
    return (restored + 1) / 2 * brightest


def batch_size(detector_shape: tuple[int, int]) -> int:
    """Views to restore at once: enough to keep the machine busy, few enough for about half a gigabyte."""
    return max(1, 2**18 // math.prod(detector_shape))


def sampler_steps(settings: SamplerSettings, views: int) -> int:
    """How often :func:`restore` advances its progress."""
    return settings.steps * math.ceil(views / settings.batch)


class NoiseStreams:
    """Standard normal noise, one stream a view, drawn on the CPU so that every device sees the same."""

    def __init__(self, seeds: list[tuple[int, ...]], like: torch.Tensor) -> None:
        self._generators = [np.random.default_rng(seed) for seed in seeds]
        self._like = like

    def draw(self) -> torch.Tensor:
        """The next (views, v, u) of every stream."""
        drawn = np.stack([g.standard_normal(self._like.shape, dtype=np.float32) for g in self._generators])
        return torch.from_numpy(drawn).to(self._like)


def _sample(
    measured: torch.Tensor,
    start: torch.Tensor,
    space: RangeSpace,
    prior: Prior,
    settings: SamplerSettings,
    noise: NoiseStreams,
    progress: Progress,
) -> torch.Tensor:
    """One DDIM run of a batch; images in [−1, 1], which doubles σ_y."""
    eta, sigma_y = settings.eta, 2 * settings.sigma_y
    alphas = [float(a) for a in prior.alphas_cumprod]
    times = np.linspace(min(settings.start_step, len(alphas) - 1), 0, settings.steps).round().astype(int).tolist()
    x = math.sqrt(alphas[times[0]]) * start + math.sqrt(1 - alphas[times[0]]) * noise.draw()
    for t, following in zip(times, [alphas[t] for t in times[1:]] + [1.0], strict=True):
        # 1. The network's guess of the clean view: x₀|t = (x_t − √(1 − ᾱ) ε_θ) / √ᾱ.
        predicted_noise = prior.predict_noise(x[:, None], t)[:, 0]
        clean = (x - math.sqrt(1 - alphas[t]) * predicted_noise) / math.sqrt(alphas[t])
        clean = clean.clamp(-1, 2 * BRIGHTEST - 1)
        # 2. Its measured part is replaced: x̂₀|t = x₀|t − V Λ (Vᵀ x₀|t − S⁻¹ Uᵀ y)  (DDNM+, eq. 2 of the paper).
        a, sigma = math.sqrt(following), math.sqrt(1 - following)
        pull, range_noise = ddnm_plus_weights(space.singular_values, a, sigma, eta, sigma_y)
        clean = clean - space.synthesize(pull * (space.coordinates(clean) - measured))
        if sigma == 0:
            x = clean
            progress.advance()
            break
        # 3. On to the next step, x = √ᾱ' x̂₀ + noise: in the range-space what the measurement's own noise leaves to
        #    add, in the null-space the DDIM step, part fresh noise and part ε_θ.
        fresh = noise.draw()
        step_noise = sigma * (eta * fresh + math.sqrt(1 - eta**2) * predicted_noise)
        change = range_noise * space.coordinates(fresh) - space.coordinates(step_noise)
        x = a * clean + step_noise + space.synthesize(change)
        progress.advance()
    return x


def ddnm_plus_weights(
    singular_values: torch.Tensor, a: float, sigma: float, eta: float, sigma_y: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Λ and the standard deviation of the noise to add, per singular value (DDNM+, section 3.3 and appendix).

    The measured coordinate carries noise σ_y/s. Scaled by a it must not exceed σ, the noise x_{t−1} is to have:
    where it would, only a part λ = σ √(1 − η²) / (a σ_y / s) of the correction is made.
    """
    carried = a * sigma_y / singular_values
    enough = sigma >= carried
    pull = torch.where(enough, torch.ones_like(carried), sigma * math.sqrt(1 - eta**2) / carried.clamp(min=1e-20))
    left = (sigma**2 - carried.square()).clamp(min=0).sqrt()
    return pull, torch.where(enough, left, torch.full_like(carried, eta * sigma))
