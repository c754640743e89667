"""Training of a slice fixer: squared error and SSIM of repaired slices, averaged weights; goes on where it stopped.

The squared error is relative to that of the slice as it was shown: filtered backprojections of few views, a hundred
times as far from the truth as a fit near its end, would otherwise be all that is learned from, and what is good harmed.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.training_utils import EMAModel

from CTSuperResolutionLib.diffusion.slice_fixer.network import NEIGHBOURS, SliceFixerNetwork
from CTSuperResolutionLib.diffusion.slice_fixer.slice_fixer import RepairNetwork, apply, save_slice_fixer
from CTSuperResolutionLib.diffusion.slice_fixer.turbo_folder import begin_turbo
from CTSuperResolutionLib.diffusion.slice_fixer.words import WORDS
from CTSuperResolutionLib.diffusion.training.checkpoint import CHECKPOINT, load_checkpoint, save_checkpoint
from CTSuperResolutionLib.errors import JobError, OtherOption
from CTSuperResolutionLib.reconstruction.ssim_3d import ssim_of_slices
from CTSuperResolutionLib.reconstruction.training_slices import TrainingSlices

WEIGHT_SSIM = 0.25  # beside the relative squared error
FINE = 1e-5  # squared error, on [0, 1], of slices that there is little to repair of
CROP = 64  # pixels, of a slice along either side, at the most
WARM_UP = 50  # steps
REPORTED = 64  # slices that are looked at in the end
LOG = "log.jsonl"
Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Slices as they are shown (n, 6, y, x), views (n, 2, rows, columns), and the truth (n, 1, y, x)."""


@dataclass(frozen=True)
class SliceFixerPlan:
    """Length and recipe of a training.

    Attributes:
        minutes: of this call; None for all steps. steps: in all, those of earlier calls included.
        batch: slices a step. learning_rate: at its highest. seed: of all that is drawn.
        channels: of the small network. up_down: whether that works on slices of twice their size.
        base: folder of the Stable Diffusion model to train on, in place of the small network. word: that it is told.
    """

    minutes: float | None = None
    steps: int = 100_000
    batch: int = 8
    learning_rate: float = 1e-3
    channels: int = 48
    seed: int = 0
    up_down: bool = False
    base: str | None = None
    word: str = WORDS[0]


class SliceFixerTraining:
    """One call of the training, from the checkpoint of the last one where there is one.

    Args:
        out: folder for the fixer, its checkpoint and log. plan: length and recipe. cts: names of the CTs of this call.
        device: to train on.

    Raises:
        JobError: a checkpoint cannot be read, or the base not be used.
    """

    def __init__(self, out: Path, plan: SliceFixerPlan, cts: Sequence[str], device: torch.device) -> None:
        torch.manual_seed(plan.seed)
        self._out, self._plan, self._device = out, plan, device
        self._network = _network(plan, out).to(device)  # type: ignore[arg-type]  # diffusers wraps it
        self._trained = [values for values in self._network.parameters() if values.requires_grad]
        self._ema = EMAModel(self._trained, decay=0.995, use_ema_warmup=True, power=0.75)
        self._optimizer = torch.optim.AdamW(self._trained, lr=plan.learning_rate, weight_decay=1e-4)
        self.first, seen = load_checkpoint(out / CHECKPOINT, self._network, self._ema, self._optimizer)
        self._ema.to(device)
        self._cts = sorted({*seen, *cts})
        self._step = self.first

    def run(self, slices: Sequence[TrainingSlices], on_step: Callable[[int, int, float], None]) -> float:
        """Train to the end of the plan, and write the fixer.

        Args:
            slices: to train on. on_step: called after each step with (step, steps, loss); may raise to stop, and the
                checkpoint then stands.

        Returns:
            By how many dB the averaged weights bring slices of the training nearer to the truth, the mean of a sample.

        Raises:
            JobError: the loss is no longer a number.
        """
        plan, started = self._plan, time.monotonic()
        rng = np.random.default_rng((plan.seed, self.first))
        while self._step < plan.steps:
            done = (self._step - self.first) / (plan.steps - self.first)
            if plan.minutes is not None:
                done = max(done, (time.monotonic() - started) / (60 * plan.minutes))
            if done >= 1:
                break
            for group in self._optimizer.param_groups:
                warm = min(1.0, (self._step - self.first + 1) / WARM_UP)
                group["lr"] = plan.learning_rate * warm * max(math.cos(0.5 * math.pi * done), 0.02)
            loss = self._optimize(_batch(slices, self._plan.batch, rng))
            try:
                on_step(self._step, plan.steps, loss)
            except BaseException:
                self._save()
                raise
        return self._report(slices, rng, (time.monotonic() - started) / 60)

    def _optimize(self, batch: Batch) -> float:
        shown, views, truth = (part.to(self._device) for part in batch)
        self._optimizer.zero_grad(set_to_none=True)
        before, after, repaired = self._errors(shown, views, truth)
        loss = (after / (before + FINE)).mean()
        loss = loss + WEIGHT_SSIM * (1 - ssim_of_slices(repaired[:, 0], truth[:, 0], 1.0))
        if not torch.isfinite(loss):
            raise JobError(
                f"Training ran away: the loss of step {self._step + 1} is not a number",
                OtherOption("learning-rate", "a lower {} and go on"),
            )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._trained, 1.0)
        self._optimizer.step()
        self._ema.step(self._trained)
        self._step += 1
        return loss.item()

    def _errors(
        self, shown: torch.Tensor, views: torch.Tensor, truth: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Mean squared errors of slices as they are shown and repaired, (n,) each, and the repaired slices."""
        repaired = apply(self._network, shown, views)
        before, after = (
            (part - truth).square().mean((1, 2, 3)) for part in (shown[:, NEIGHBOURS : NEIGHBOURS + 1], repaired)
        )
        return before, after, repaired

    @torch.no_grad()
    def _report(self, slices: Sequence[TrainingSlices], rng: np.random.Generator, minutes: float) -> float:
        """Write the averaged weights as a fixer, the checkpoint and a line of the log."""
        self._ema.store(self._trained)
        self._ema.copy_to(self._trained)
        gains = []
        for _ in range(REPORTED):
            before, after, _ = self._errors(*(part.to(self._device) for part in _batch(slices, 1, rng)))
            gains.append(10 * math.log10((float(before) + FINE) / (float(after) + FINE)))
        gain = sum(gains) / len(gains)
        card: dict[str, Any] = {
            "plan": asdict(self._plan),
            "ct": self._cts,
            "parameters": sum(values.numel() for values in self._trained),
            "steps_done": self._step,
            "training_gain_db": round(gain, 2),
        }
        save_slice_fixer(self._network, self._out, card)
        with (self._out / LOG).open("a") as log:
            log.write(json.dumps({"step": self._step, "minutes": round(minutes, 1), "gain_db": round(gain, 2)}) + "\n")
        self._ema.restore(self._trained)
        self._save()
        return gain

    def _save(self) -> None:
        save_checkpoint(self._out / CHECKPOINT, self._network, self._ema, self._optimizer, self._step, self._cts)


def _network(plan: SliceFixerPlan, out: Path) -> RepairNetwork:
    if plan.base is not None:
        return begin_turbo(Path(plan.base), plan.word, out)
    return SliceFixerNetwork(channels=plan.channels, up_down=plan.up_down)


def _batch(slices: Sequence[TrainingSlices], count: int, rng: np.random.Generator) -> Batch:
    """Slices of as many scans, in squares of one size: as large as a scan that is drawn has them."""
    sides = [min(CROP, *part.volumes.shape[-2:]) for part in slices]
    side = sides[int(rng.integers(len(slices)))]
    large = [part for part, most in zip(slices, sides, strict=True) if most >= side]
    drawn = [large[int(rng.integers(len(large)))].draw(rng, side) for _ in range(count)]
    shown, views, truth = (torch.cat(parts) for parts in zip(*drawn, strict=True))
    return shown, views, truth
