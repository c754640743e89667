"""Training loop of the prior: ε-prediction with a moving average of the weights, on one device or many, resumable."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from diffusers.training_utils import EMAModel
from torch.nn.utils import convert_conv2d_weight_memory_format

from CTSuperResolutionLib.diffusion.networks.residual_denoiser import ResidualDenoiser
from CTSuperResolutionLib.diffusion.noise_schedule import NoiseSchedule
from CTSuperResolutionLib.diffusion.prior import Prior, save_prior
from CTSuperResolutionLib.diffusion.training.checkpoint import CHECKPOINT, load_checkpoint, save_checkpoint
from CTSuperResolutionLib.diffusion.training.examples import REACH, Source
from CTSuperResolutionLib.diffusion.training.sample_figure import write_samples
from CTSuperResolutionLib.diffusion.training.targets import NoisyBatch, noisy_batch
from CTSuperResolutionLib.diffusion.training.validation import validate
from CTSuperResolutionLib.errors import JobError, OtherOption

if TYPE_CHECKING:
    from accelerate import Accelerator  # an extra of the package

VALIDATION_EXAMPLES = 64
OnStep = Callable[[int, int, float], None]  # step, steps, loss


@dataclass(frozen=True)
class TrainingPlan:
    """Length and recipe of a training, and the network's depth. All but the length is as for the shipped prior."""

    minutes: float | None = None
    steps: int = 1_000_000
    batch: int = 8
    crop: int = 48
    blocks: int = 8
    learning_rate: float = 1.2e-3
    ema_decay: float = 0.998
    report_every: int = 1000
    seed: int = 0


def train_prior(
    examples: Source,
    held_out: Source,
    out: Path,
    plan: TrainingPlan,
    *,
    card: dict[str, Any],
    accelerator: Accelerator,
    start: Prior | None = None,
    on_step: OnStep = lambda step, steps, loss: None,
) -> dict[str, float]:
    """Train a compact prior and write it to a folder, with a checkpoint to go on from.

    Training that was stopped goes on from ``out/checkpoint.pt``: ``minutes`` counts this call alone, ``steps`` all.
    Started by ``accelerate launch`` it runs on every GPU given, each with a batch of its own.

    Args:
        examples, held_out: what to train on, and what to validate on.
        out: where the prior goes; also ``samples.png`` (start, restored, truth; noisy, denoised), ``log.jsonl``, and
            ``training.json`` (recipe and validation loss by noise level), written anew at every report.
        plan: length and recipe.
        card: what the data were, for ``training.json``.
        accelerator: see :func:`make_accelerator`.
        start: a prior to begin with, where nothing was trained yet; its network may have fewer blocks.
        on_step: called after each step with (step, steps, loss); may raise to stop, and the checkpoint then stands.

    Returns:
        Validation loss by diffusion step, of the averaged weights: the network's squared error relative to that of
        no answer at all. At t = 0 that is one minus the share of the missing energy which it restores.

    Raises:
        JobError: a checkpoint cannot be read, the prior to begin with is of another kind, or the loss is no longer a
        number; the last checkpoint then stands.
    """
    return _Trainer(held_out, Path(out), plan, card, accelerator, start).run(examples, on_step)


def make_accelerator(device: torch.device | str) -> Accelerator:
    """The accelerator of a device, where ``accelerate launch`` says nothing else.

    What multiplies in bfloat16 itself trains in it: such a processor in two thirds of the time.

    Raises:
        JobError: accelerate is not installed.
    """
    device = torch.device(device)
    try:
        from accelerate import Accelerator
    except ImportError:
        raise JobError("Training needs accelerate; install it with pip install 'ctsuperresolution[train]'.") from None
    capabilities = getattr(torch.cpu, "get_capabilities", None)  # torch before 2.6 does not say
    if device.type == "cuda":
        half = torch.cuda.is_bf16_supported()
    else:
        half = capabilities is not None and bool(capabilities().get("avx512_bf16"))
    return Accelerator(cpu=device.type == "cpu", mixed_precision="bf16" if half else "no")


def make_network(plan: TrainingPlan, start: Prior | None) -> ResidualDenoiser:
    """The network that a plan trains, with the weights of a prior to begin with, if any.

    Raises:
        JobError: that prior has another kind of network, or a deeper one.
    """
    network = ResidualDenoiser(blocks=plan.blocks, neighbours=REACH, acquisition=True)
    if start is None:
        return network
    try:
        if not isinstance(start.denoiser, ResidualDenoiser):
            raise ValueError("it is a UNet")
        network.begin_from(start.denoiser)
    except ValueError as error:
        raise JobError(
            f"Training cannot begin with that prior, for {error}", OtherOption("start-from", "another {}")
        ) from None
    return network


class _Trainer:
    """One call of :func:`train_prior`: the network, its moving average and optimizer, and how far they are."""

    def __init__(
        self,
        held_out: Source,
        out: Path,
        plan: TrainingPlan,
        card: dict[str, Any],
        accelerator: Accelerator,
        start: Prior | None,
    ) -> None:
        out.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(plan.seed)
        self._out, self._plan, self._accelerator = out, plan, accelerator
        self._schedule = NoiseSchedule.linear()
        rng = np.random.default_rng(7)
        self._validation = [held_out.draw(rng, plan.crop) for _ in range(VALIDATION_EXAMPLES)]

        network = make_network(plan, start)
        convert_conv2d_weight_memory_format(network, torch.channels_last)
        self._ema = EMAModel(network.parameters(), decay=plan.ema_decay, use_ema_warmup=True, power=0.75, foreach=True)
        optimizer = torch.optim.AdamW(network.parameters(), lr=plan.learning_rate, betas=(0.9, 0.99), weight_decay=1e-4)
        self._first, seen = load_checkpoint(out / CHECKPOINT, network, self._ema, optimizer)
        # A prior has seen the CTs of earlier calls, too.
        self._cts = sorted({*seen, *card["ct"]})
        self._card = {
            "plan": asdict(plan),
            **card,
            "ct": self._cts,
            "parameters": sum(values.numel() for values in network.parameters()),
        }
        self._network, self._optimizer = accelerator.prepare(network, optimizer)
        self._ema.to(accelerator.device)
        self._rng = np.random.default_rng((plan.seed, self._first, accelerator.process_index))
        self._started, self._step = time.monotonic(), self._first

    def run(self, examples: Source, on_step: OnStep) -> dict[str, float]:
        """Train to the end of the plan; the last validation losses."""
        plan, losses = self._plan, dict[str, float]()
        while self._step < plan.steps and (done := self._done()) < 1:
            for group in self._optimizer.param_groups:
                group["lr"] = self._learning_rate(done)
            drawn = [examples.draw(self._rng, plan.crop) for _ in range(plan.batch)]
            loss = self._optimize(noisy_batch(drawn, self._schedule, self._rng).to(self._accelerator.device))
            try:
                on_step(self._step, plan.steps, loss)
            except BaseException:
                self._save()
                raise
            losses = self._report() if self._step % plan.report_every == 0 else {}
        return losses or self._report()

    def _done(self) -> float:
        """The share of this call's length that is over, by steps or by the clock; 1 or more ends it."""
        done = (self._step - self._first) / (self._plan.steps - self._first)
        if self._plan.minutes is None:
            return done
        # One clock for all processes: they have to end at the same step.
        elapsed = torch.tensor(time.monotonic() - self._started, device=self._accelerator.device)
        return max(done, float(self._accelerator.reduce(elapsed, "mean")) / (60 * self._plan.minutes))

    def _learning_rate(self, done: float) -> float:
        """A linear warm-up over a hundred steps, then a quarter of a cosine down to a fiftieth."""
        return self._plan.learning_rate * min(1, (self._step + 1) / 100) * max(math.cos(0.5 * math.pi * done), 0.02)

    def _optimize(self, batch: NoisyBatch) -> float:
        """One step of the optimizer; the loss before it."""
        self._optimizer.zero_grad(set_to_none=True)
        with self._accelerator.autocast():
            predicted = self._network(batch.images, batch.steps, batch.acquisitions, batch.neighbours)
        loss = (batch.weights * (predicted.float() - batch.targets).square().mean((1, 2, 3))).mean()
        if not torch.isfinite(loss):
            raise JobError(
                f"Training ran away: the loss of step {self._step + 1} is not a number",
                OtherOption("learning-rate", "a lower {} and go on"),
            )
        self._accelerator.backward(loss)
        self._accelerator.clip_grad_norm_(self._network.parameters(), 1.0)
        self._optimizer.step()
        self._ema.step(self._plain.parameters())
        self._step += 1
        return loss.item()

    def _report(self) -> dict[str, float]:
        """Write the averaged weights as a prior, with validation losses and samples, and a checkpoint."""
        network, ema = self._plain, self._ema
        ema.store(network.parameters())
        ema.copy_to(network.parameters())
        losses = validate(network, self._validation, self._schedule)
        if self._accelerator.is_main_process:
            write_samples(network, self._validation[:6], self._schedule, self._out / "samples.png")
            minutes = round((time.monotonic() - self._started) / 60, 1)
            found = {"steps_done": self._step, "minutes": minutes, "validation_loss": losses}
            save_prior(network, self._out, card={**self._card, **found})
            with (self._out / "log.jsonl").open("a") as log:
                log.write(json.dumps({"step": self._step, "minutes": minutes, **losses}) + "\n")
        ema.restore(network.parameters())
        self._save()
        self._accelerator.wait_for_everyone()  # a process that ends tidies the folder
        return losses

    def _save(self) -> None:
        if self._accelerator.is_main_process:
            save_checkpoint(self._out / CHECKPOINT, self._plain, self._ema, self._optimizer, self._step, self._cts)

    @property
    def _plain(self) -> ResidualDenoiser:
        """The network without what the accelerator wrapped it in."""
        return self._accelerator.unwrap_model(self._network)
