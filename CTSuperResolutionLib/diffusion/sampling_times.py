"""Sampling times: the DDIM times at which the network is evaluated, and the path through them with resampling."""

from __future__ import annotations

import numpy as np

JUMP_LENGTH = 1  # DDIM steps of one jump back: l in DDNM, as its authors' configurations set it


def ddim_times(start_step: int, steps: int) -> list[int]:
    """Diffusion steps t at which the network is evaluated: evenly spaced from ``start_step`` down to 0, rounded.

    A single one is at ``start_step``.
    """
    return np.linspace(start_step, 0, steps).round().astype(int).tolist()


def resampling_path(steps: int, repeats: int, length: int = JUMP_LENGTH) -> list[int]:
    """The path from the first time to the clean image, as positions in the list of times.

    A move from k to k + 1 denoises; position ``steps`` is the clean image. A jump back adds noise again (resampling:
    RePaint, Lugmayr et al. 2022; time-travel: DDNM, section 3.3): at every ``length``-th position, counted from the
    last time, the last ``length`` steps are done ``repeats`` times in all, so that what the data step put in and what
    the network drew are harmonised.

    Args:
        steps: DDIM steps. repeats: how often each is done; 1 is straight on.
        length: steps of one jump; the first ``(steps - 1) % length`` steps, and the one to the clean image, are
            done once.
    """
    path = [0]
    for position in range(1, steps + 1):
        path.append(position)
        if length <= position < steps and (steps - 1 - position) % length == 0:
            path += (repeats - 1) * list(range(position - length, position + 1))
    return path


def function_evaluations(steps: int, repeats: int, *, adaptive: bool = False) -> int:
    """Number of function evaluations (NFE): how often the network sees an image along :func:`resampling_path`.

    An adaptive start may first try all times but the last; with it this is the largest number.
    """
    along_path = steps + (repeats - 1) * JUMP_LENGTH * ((steps - 1) // JUMP_LENGTH)
    return along_path + (steps - 1 if adaptive else 0)
