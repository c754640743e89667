"""The noise schedule of the priors."""

from __future__ import annotations

from diffusers import DDIMScheduler


def new_scheduler() -> DDIMScheduler:
    """The linear schedule of DDPM and of the paper's prior: β from 1e-4 to 0.02 over 1000 steps."""
    return DDIMScheduler(num_train_timesteps=1000, beta_start=1e-4, beta_end=0.02, beta_schedule="linear")
