"""Adaptation: a prior's network goes on learning from one scan, and keeps what it learned where that is better."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from CTSuperResolutionLib.diffusion.networks.denoiser import Denoiser
from CTSuperResolutionLib.diffusion.networks.image_acquisition import ImageAcquisition
from CTSuperResolutionLib.diffusion.networks.residual_denoiser import ResidualDenoiser
from CTSuperResolutionLib.diffusion.noise_schedule import NoiseSchedule
from CTSuperResolutionLib.diffusion.prior import Prior
from CTSuperResolutionLib.job.events import Progress

CROP, BATCH = 64, 4
MARGIN = 12  # pixels of a patch along each side that are shown and not judged: what lies beyond an image is no tissue
LEARNING_RATE, WARM_UP = 2e-4, 20
HELD_OUT = 24  # patches
BETTER = 0.92
"""Error after over that before, on held-out patches, from which on what was learned is kept: at 0.94 and 0.95 the
results of two chests were 0.16 dB worse, at 0.72 and 0.87 those of a skull 1.8 and 2.5 dB better."""
TRIAL, HOPEFUL = 40, 0.93
"""Steps after which learning is given up where that ratio is above HOPEFUL: six scans for which it was dropped after
120 had 0.95 to 0.98 there, two for which it was kept 0.74 and 0.88."""
FLAT = 5e-4  # mean difference between an image and its truth: of less there is nothing to learn
TRIES = 100

Patches = tuple[torch.Tensor, torch.Tensor]
"""Images and their truths, (n, 1, rows, columns) each, in [0, 1]."""


@dataclass(frozen=True, eq=False)
class Lessons:
    """Pairs of images to learn from, each (rows, columns) in [0, 1] and at least CROP x CROP.

    Attributes:
        pairs: a degraded and sharpened image, and its truth.
        acquisition: how the degraded ones were measured.
    """

    pairs: Sequence[tuple[torch.Tensor, torch.Tensor]]
    acquisition: ImageAcquisition

    def draw(self, count: int, rng: np.random.Generator) -> Patches | None:
        """Random patches of images and truths, mirrored at random, (count, 1, CROP, CROP); None of flat images."""
        drawn: list[torch.Tensor] = []
        for _ in range(TRIES * count):
            pair = torch.stack(self.pairs[int(rng.integers(len(self.pairs)))])
            top, left = (int(rng.integers(n - CROP + 1)) for n in pair.shape[1:])
            patch = pair[:, top : top + CROP, left : left + CROP]
            if float(_judged(patch[0] - patch[1]).abs().mean()) > FLAT:
                drawn.append(patch.flip([axis for axis in (1, 2) if rng.random() < 0.5]))
            if len(drawn) == count:
                images, truths = torch.stack(drawn, dim=1)[:, :, None]
                return images, truths
        return None


class AdaptedDenoiser:
    """A network that learned, for images measured like those that it learned from; for all others, as it was.

    Attributes:
        plain, adapted: the network before and after. learned: how the images of its lessons were measured.
    """

    def __init__(self, plain: Denoiser, adapted: Denoiser, learned: ImageAcquisition) -> None:
        self.plain, self.adapted = plain, adapted
        self._factors = {tuple(each[:3]) for each in (learned, learned.turned())}

    @property
    def multiple(self) -> int:
        """As the network's."""
        return self.plain.multiple

    @property
    def reach(self) -> int:
        """As the network's."""
        return self.plain.reach

    def predict_noise(
        self, images: torch.Tensor, step: int, acquisitions: torch.Tensor | None, neighbours: torch.Tensor | None = None
    ) -> torch.Tensor:
        """ε_θ(x_t, t) as in :class:`.Denoiser`."""
        alike = acquisitions is not None and tuple(acquisitions[0, :3].tolist()) in self._factors
        return (self.adapted if alike else self.plain).predict_noise(images, step, acquisitions, neighbours)


def adapt(
    prior: Prior, lessons: Lessons, held_out: Lessons, *, steps: int, seed: int, progress: Progress
) -> tuple[Prior, dict[str, object]]:
    """Let a prior's network go on learning to restore slices at t = 0, and keep the result where it errs less.

    Where TRIAL steps show little gain it ends with them. A slice of the lessons is shown without neighbours: those of
    thick slices say nothing of thin ones.

    Args:
        prior: of a :class:`.ResidualDenoiser`. lessons: to learn from. held_out: to compare on.
        steps: of Adam, on BATCH patches each, every other time turned; the rate falls to zero in half a cosine.
        seed: of the patches.
        progress: advanced by one a step, and by those that are left where it is given up.

    Returns:
        The prior, adapted or as it was, and the squared error on held-out patches over that of the images as they are,
        ``error_before`` and ``error_after``, whether it was ``kept``, and the ``steps`` that were done; ``kept`` alone
        where there is nothing to learn.
    """
    plain = prior.denoiser
    if not isinstance(plain, ResidualDenoiser):
        progress.advance(steps)
        return prior, {"kept": False}
    test, rng = held_out.draw(HELD_OUT, np.random.default_rng((seed, 1))), np.random.default_rng((seed, 0))
    first = lessons.draw(BATCH, rng)
    if test is None or first is None:
        progress.advance(steps)
        return prior, {"kept": False}
    network = copy.deepcopy(plain).requires_grad_(True)
    error_before = _error(plain, prior.schedule, test, lessons.acquisition)
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    done = steps
    for step in range(steps):
        if step == TRIAL:
            error_after = _error(network, prior.schedule, test, lessons.acquisition)
            if error_after > HOPEFUL * error_before:
                done = step
                progress.advance(steps - step)
                break
        patches = first if step == 0 else lessons.draw(BATCH, rng)
        assert patches is not None  # as the first time
        images, acquisition = _laid(patches, lessons.acquisition, turned=step % 2 == 1)
        for group in optimizer.param_groups:
            falling = (1 + math.cos(math.pi * step / steps)) / 2
            group["lr"] = LEARNING_RATE * falling * min(1, (step + 1) / WARM_UP)
        optimizer.zero_grad(set_to_none=True)
        with torch.enable_grad():
            _relative_error(network, prior.schedule, images, acquisition).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        progress.advance()
    else:
        error_after = _error(network, prior.schedule, test, lessons.acquisition)
    network.requires_grad_(False)
    kept = error_after < BETTER * error_before
    report: dict[str, object] = {
        "kept": kept,
        "steps": done,
        "error_before": round(error_before, 4),
        "error_after": round(error_after, 4),
    }
    if not kept:
        return prior, report
    return replace(prior, denoiser=AdaptedDenoiser(plain, network, lessons.acquisition)), report


def _error(
    network: ResidualDenoiser, schedule: NoiseSchedule, patches: Patches, acquisition: ImageAcquisition
) -> float:
    """Mean of the relative errors of patches as they are, and turned."""
    with torch.no_grad():
        both = [_relative_error(network, schedule, *_laid(patches, acquisition, turned)) for turned in (False, True)]
    return float(torch.stack(both).mean())


def _laid(patches: Patches, acquisition: ImageAcquisition, turned: bool) -> tuple[Patches, ImageAcquisition]:
    """Patches and how they were measured, with rows and columns exchanged or not."""
    if not turned:
        return patches, acquisition
    images, truths = patches
    return (images.transpose(-2, -1), truths.transpose(-2, -1)), acquisition.turned()


def _relative_error(
    network: ResidualDenoiser, schedule: NoiseSchedule, patches: Patches, acquisition: ImageAcquisition
) -> torch.Tensor:
    """Squared error of x₀|0 over that of the images as they are, both where they are judged."""
    images, truths = patches
    told = torch.tensor([acquisition], dtype=images.dtype, device=images.device).expand(len(images), -1)
    x = schedule.mean(2 * images - 1, 0)
    restored = (schedule.predict_x0(x, network.predict_noise(x, 0, told), 0) + 1) / 2
    return _judged(restored - truths).square().mean() / _judged(images - truths).square().mean()


def _judged(patches: torch.Tensor) -> torch.Tensor:
    """Patches (…, rows, columns) without the margin, where the network sees the zeros that lie beyond an image."""
    return patches[..., MARGIN:-MARGIN, MARGIN:-MARGIN]
