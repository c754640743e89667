"""When the network is asked: the DDIM times, and the way through them, travels back in time included."""

from __future__ import annotations

import numpy as np

TRAVEL_LENGTH = 1  # DDIM steps of one travel back: l in DDNM, as its authors' configurations set it


def ddim_times(start_step: int, steps: int) -> list[int]:
    """Diffusion steps t at which the network is asked: evenly spaced from ``start_step`` down to 0, rounded.

    A single one is at ``start_step``.
    """
    return np.linspace(start_step, 0, steps).round().astype(int).tolist()


def travel_path(steps: int, repeats: int, length: int = TRAVEL_LENGTH) -> list[int]:
    """The way from the first time to the clean image, as positions in the list of times.

    A move from k to k + 1 denoises; position ``steps`` is the clean image. A move back adds noise again (RePaint,
    Lugmayr et al. 2022; DDNM, section 3.3): at every ``length``-th position, counted from the last time, the last
    ``length`` steps are done ``repeats`` times in all, so that what the data step put in and what the network drew
    get used to each other.

    Args:
        steps: DDIM steps. repeats: how often each is done; 1 is straight on.
        length: steps of one travel; the first ``(steps - 1) % length`` steps, and the one to the clean image, are
            done once.
    """
    path = [0]
    for position in range(1, steps + 1):
        path.append(position)
        if length <= position < steps and (steps - 1 - position) % length == 0:
            path += (repeats - 1) * list(range(position - length, position + 1))
    return path


def network_calls(steps: int, repeats: int) -> int:
    """How often the network is asked along :func:`travel_path`."""
    return steps + (repeats - 1) * TRAVEL_LENGTH * ((steps - 1) // TRAVEL_LENGTH)


def announced_calls(steps: int, repeats: int, *, adaptive: bool) -> int:
    """Most often that the network is asked about one view: an adaptive start looks at all times but the last first."""
    return network_calls(steps, repeats) + (steps - 1 if adaptive else 0)
