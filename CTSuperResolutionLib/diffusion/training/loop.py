"""Train the prior: ε-prediction, EMA, on one device or many, resumable at any moment."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from diffusers.training_utils import EMAModel

from CTSuperResolutionLib.diffusion.networks.residual_denoiser import ResidualDenoiser
from CTSuperResolutionLib.diffusion.noise_schedule import new_scheduler
from CTSuperResolutionLib.diffusion.prior import save_prior
from CTSuperResolutionLib.diffusion.training.examples import Example, Source, stacked
from CTSuperResolutionLib.diffusion.training.sample_figure import write_samples
from CTSuperResolutionLib.diffusion.training.targets import answer_of, noisy_batch
from CTSuperResolutionLib.errors import JobError, OtherOption

if TYPE_CHECKING:
    from accelerate import Accelerator  # an extra of the package

VALIDATION_STEPS = (0, 5, 20, 50, 100, 200, 400, 700, 950)
VALIDATION_EXAMPLES = 64
CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class TrainingPlan:
    """How long and how to train. All but the length is the recipe of the shipped prior."""

    minutes: float | None = None
    steps: int = 1_000_000
    batch: int = 8
    crop: int = 48
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
    card: dict[str, object],
    accelerator: Accelerator,
    on_step: Callable[[int, int, float], None] = lambda step, steps, loss: None,
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
        on_step: called after each step with (step, steps, loss); may raise to stop, and the checkpoint then stands.

    Returns:
        Validation loss by diffusion step, of the averaged weights: the network's squared error relative to that of
        no answer at all. At t = 0 that is one minus the share of the missing energy which it restores.

    Raises:
        JobError: a checkpoint cannot be read, or the loss is no longer a number; the last checkpoint then stands.
    """
    out, device = Path(out), accelerator.device
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(plan.seed)
    alphas = new_scheduler().alphas_cumprod
    validation = [
        held_out.draw(rng, plan.crop) for rng in [np.random.default_rng(7)] for _ in range(VALIDATION_EXAMPLES)
    ]

    plain = ResidualDenoiser()
    ema = EMAModel(plain.parameters(), decay=plan.ema_decay, use_ema_warmup=True, power=0.75)
    optimizer = torch.optim.AdamW(plain.parameters(), lr=plan.learning_rate, betas=(0.9, 0.99), weight_decay=1e-4)
    first, seen = _resume(out / CHECKPOINT, plain, ema, optimizer)
    # What a prior saw it saw, whatever it goes on with.
    seen = sorted({*seen, *card["ct"]})
    network, optimizer = accelerator.prepare(plain, optimizer)
    ema.to(device)
    rng = np.random.default_rng((plan.seed, first, accelerator.process_index))
    started, losses, step = time.monotonic(), {}, first
    card = {"plan": asdict(plan), **card, "ct": seen, "parameters": sum(p.numel() for p in plain.parameters())}

    def save(step: int) -> None:
        if accelerator.is_main_process:
            _save_checkpoint(out / CHECKPOINT, accelerator.unwrap_model(network), ema, optimizer, step, seen)

    def report(step: int) -> dict[str, float]:
        averaged = accelerator.unwrap_model(network)
        ema.store(averaged.parameters())
        ema.copy_to(averaged.parameters())
        by_step = validate(averaged, validation, alphas)
        if accelerator.is_main_process:
            write_samples(averaged, validation[:6], alphas, out / "samples.png")
            minutes = round((time.monotonic() - started) / 60, 1)
            save_prior(averaged, out, card={**card, "steps_done": step, "minutes": minutes, "validation_loss": by_step})
            with (out / "log.jsonl").open("a") as log:
                log.write(json.dumps({"step": step, "minutes": minutes, **by_step}) + "\n")
        ema.restore(averaged.parameters())
        save(step)
        accelerator.wait_for_everyone()  # a process that ends tidies the folder
        return by_step

    while step < plan.steps:
        done = (step - first) / (plan.steps - first)
        if plan.minutes is not None:
            # One clock for all processes: they have to end at the same step.
            passed = accelerator.reduce(torch.tensor(time.monotonic() - started, device=device), "mean")
            done = max(done, float(passed) / (60 * plan.minutes))
            if done >= 1:
                break
        for group in optimizer.param_groups:
            group["lr"] = plan.learning_rate * min(1, (step + 1) / 100) * max(math.cos(0.5 * math.pi * done), 0.02)
        images, steps, factors, answer, weights = (
            values.to(device)
            for values in noisy_batch([examples.draw(rng, plan.crop) for _ in range(plan.batch)], alphas, rng)
        )
        optimizer.zero_grad(set_to_none=True)
        with accelerator.autocast():
            predicted = network(images, steps, factors).sample
        loss = (weights * (predicted.float() - answer).square().mean((1, 2, 3))).mean()
        if not torch.isfinite(loss):
            raise JobError(
                f"Training ran away: the loss of step {step + 1} is not a number",
                OtherOption("learning-rate", "a lower {} and go on"),
            )
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        ema.step(accelerator.unwrap_model(network).parameters())
        step += 1
        try:
            on_step(step, plan.steps, loss.item())
        except BaseException:
            save(step)
            raise
        losses = report(step) if step % plan.report_every == 0 else {}
    return losses or report(step)


def validate(network: ResidualDenoiser, examples: Sequence[Example], alphas: torch.Tensor) -> dict[str, float]:
    """Squared error of a network's answers by diffusion step, relative to that of the answer 0.

    At t = 0 it is shown the starts as they are; at t > 0 the truth and noise.
    """
    start, truth, factors = stacked(examples)
    noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(7))
    losses = {}
    for step in VALIDATION_STEPS:
        signal, sigma = alphas[step].sqrt(), (1 - alphas[step]).sqrt()
        answer = noise if step else signal / sigma * (start - truth)
        shown = signal * truth + sigma * noise if step else signal * start
        error = answer_of(network, shown, step, factors) - answer
        losses[str(step)] = round(float(error.square().mean() / answer.square().mean()), 6)
    return losses


def make_accelerator(device: torch.device | str) -> Accelerator:
    """What training runs on: a device, where ``accelerate launch`` says nothing else; a GPU in bfloat16 if it can.

    Raises:
        JobError: accelerate is not installed.
    """
    device = torch.device(device)
    try:
        from accelerate import Accelerator
    except ImportError:
        raise JobError("Training needs accelerate; install it with pip install 'ctsuperresolution[train]'.") from None
    half = device.type == "cuda" and torch.cuda.is_bf16_supported()
    return Accelerator(cpu=device.type == "cpu", mixed_precision="bf16" if half else "no")


def _save_checkpoint(path: Path, network, ema, optimizer, step: int, seen: list[str]) -> None:  # noqa: ANN001
    partial = path.with_suffix(".partial")
    state = {"network": network.state_dict(), "ema": ema.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save({**state, "step": step, "ct": seen}, partial)
    os.replace(partial, path)


def _resume(path: Path, network, ema, optimizer) -> tuple[int, list[str]]:  # noqa: ANN001
    """Bring back a checkpoint; return its step and the CTs it was trained on, 0 and none where there is none."""
    if not path.exists():
        return 0, []
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict(state["network"])
        ema.load_state_dict(state["ema"])
        optimizer.load_state_dict(state["optimizer"])
        step, seen = int(state["step"]), list(state["ct"])
    except Exception as error:
        raise JobError(f"The checkpoint {path} cannot be read; delete it to train from the start.") from error
    return step, seen
