"""Train the projection prior on radiographs: ε-prediction, EMA, resumable at any moment."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers.training_utils import EMAModel
from PIL import Image

from CTSuperResolutionLib.diffusion.prior import new_network, new_scheduler, save_prior
from CTSuperResolutionLib.diffusion.radiographs import RadiographCrops
from CTSuperResolutionLib.job.errors import JobError

VALIDATION_STEPS = (5, 10, 20, 50, 100, 200, 400, 700, 950)
CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class TrainingPlan:
    """How long and how to train. All but the length is the recipe of the shipped prior."""

    minutes: float | None = None
    steps: int = 20_000
    batch: int = 8
    crop: int = 128
    learning_rate: float = 3e-4
    ema_decay: float = 0.9995
    validation_fraction: float = 0.05
    report_every: int = 500
    seed: int = 0


def train_prior(
    folders: Sequence[Path],
    out: Path,
    plan: TrainingPlan,
    *,
    device: torch.device | str = "cpu",
    on_step: Callable[[int, int, float], None] = lambda step, steps, loss: None,
) -> dict[str, float]:
    """Train a compact prior and write it to a folder, with a checkpoint to go on from.

    Training that was stopped goes on from ``out/checkpoint.pt``: ``minutes`` counts this call alone, ``steps`` all.
    Noise levels are drawn as t = ⌊T u²⌋: restoration starts at low noise, so most of the training is spent there.

    Args:
        folders: folders of radiographs, drawn equally often.
        out: where the prior goes; also ``samples.png`` (clean, noisy, denoised at rising noise) and
            ``training.json`` (recipe and validation loss by noise level), written anew at every report.
        plan: length and recipe.
        device: torch device; the network runs in bfloat16 autocast.
        on_step: called after each step with (step, steps, loss); may raise to stop, and the checkpoint then stands.

    Returns:
        Validation loss (mean squared error of ε) by diffusion step, of the averaged weights.

    Raises:
        JobError: no images, or a checkpoint that cannot be read.
    """
    out, device = Path(out), torch.device(device)
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(plan.seed)
    options = {"crop": plan.crop, "validation_fraction": plan.validation_fraction}
    crops = RadiographCrops(folders, **options)
    held_out = RadiographCrops(folders, **options, validation=True)
    validation = held_out.batch(64, torch.Generator().manual_seed(plan.seed)).to(device)

    network = new_network().to(device)
    ema = EMAModel(network.parameters(), decay=plan.ema_decay, use_ema_warmup=True, power=0.75)
    optimizer = torch.optim.AdamW(network.parameters(), lr=plan.learning_rate, weight_decay=1e-4)
    first = _resume(out / CHECKPOINT, network, ema, optimizer)
    generator = torch.Generator().manual_seed(plan.seed + 1 + first)
    alphas = new_scheduler().alphas_cumprod.to(device)
    started, losses, step = time.monotonic(), {}, first
    card = {
        "plan": asdict(plan),
        "training_images": len(crops),
        "validation_images": len(held_out),
        "folders": [Path(f).name for f in folders],
        "parameters": sum(p.numel() for p in network.parameters()),
    }

    def report(step: int) -> dict[str, float]:
        ema.store(network.parameters())
        ema.copy_to(network.parameters())
        by_step = _validate(network, validation, alphas)
        _write_samples(network, validation[:6], alphas, out / "samples.png")
        save_prior(network, out, card={**card, "steps_done": step, "validation_loss": by_step})
        ema.restore(network.parameters())
        with (out / "log.jsonl").open("a") as log:
            log.write(json.dumps({"step": step, "seconds": round(time.monotonic() - started), **by_step}) + "\n")
        _save_checkpoint(out / CHECKPOINT, network, ema, optimizer, step)
        return by_step

    while step < plan.steps:
        done = (step - first) / (plan.steps - first)
        if plan.minutes is not None:
            done = max(done, (time.monotonic() - started) / (60 * plan.minutes))
            if done >= 1:
                break
        for group in optimizer.param_groups:
            group["lr"] = plan.learning_rate * min(1, (step + 1) / 200) * max(math.cos(0.5 * math.pi * done), 0.02)
        clean = crops.batch(plan.batch, generator).to(device)
        levels = (len(alphas) * torch.rand(plan.batch, generator=generator) ** 2).long().to(device)
        noise = torch.randn(clean.shape, generator=generator).to(device)
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            predicted = network(_add_noise(clean, noise, alphas[levels]), levels).sample
        loss = (predicted.float() - noise).square().mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        ema.step(network.parameters())
        step += 1
        try:
            on_step(step, plan.steps, loss.item())
        except BaseException:
            _save_checkpoint(out / CHECKPOINT, network, ema, optimizer, step)
            raise
        losses = report(step) if step % plan.report_every == 0 else {}
    return losses or report(step)


def _add_noise(clean: torch.Tensor, noise: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    """x_t = √ᾱ x₀ + √(1 − ᾱ) ε."""
    alpha = alpha.view(-1, 1, 1, 1)
    return alpha.sqrt() * clean + (1 - alpha).sqrt() * noise


@torch.no_grad()
def _validate(network: torch.nn.Module, images: torch.Tensor, alphas: torch.Tensor) -> dict[str, float]:
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(7)).to(images.device)
    losses = {}
    for step in VALIDATION_STEPS:
        steps = torch.full((len(images),), step, device=images.device)
        predicted = network(_add_noise(images, noise, alphas[steps]), steps).sample
        losses[str(step)] = round((predicted - noise).square().mean().item(), 6)
    return losses


@torch.no_grad()
def _write_samples(network: torch.nn.Module, images: torch.Tensor, alphas: torch.Tensor, path: Path) -> None:
    """Rows: images. Columns: clean, then noisy and denoised (x̂₀) at steps 20, 100 and 400."""
    columns = [images]
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(7)).to(images.device)
    for step in (20, 100, 400):
        steps = torch.full((len(images),), step, device=images.device)
        alpha = alphas[step]
        noisy = _add_noise(images, noise, alphas[steps])
        columns += [noisy, (noisy - (1 - alpha).sqrt() * network(noisy, steps).sample) / alpha.sqrt()]
    grid = torch.cat([torch.cat(list(c[:, 0]), dim=0) for c in columns], dim=1)
    pixels = ((grid.cpu().numpy() + 1) * 127.5).clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(path)


def _save_checkpoint(path: Path, network, ema, optimizer, step: int) -> None:  # noqa: ANN001
    partial = path.with_suffix(".partial")
    state = {"network": network.state_dict(), "ema": ema.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save({**state, "step": step}, partial)
    os.replace(partial, path)


def _resume(path: Path, network, ema, optimizer) -> int:  # noqa: ANN001
    """Bring back a checkpoint's state and return its step; 0 where there is none."""
    if not path.exists():
        return 0
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict(state["network"])
        ema.load_state_dict(state["ema"])
        optimizer.load_state_dict(state["optimizer"])
    except Exception as error:
        raise JobError(f"The checkpoint {path} cannot be read; delete it to train from the start.") from error
    return int(state["step"])
