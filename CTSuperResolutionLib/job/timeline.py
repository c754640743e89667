"""Timeline of a job: the seconds of its stages so far, and an estimate of those to come."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import TypeAlias

Steps: TypeAlias = int | Fraction
"""How many steps of a stage; parts of one are exact, so that they add up to it."""


class Timeline:
    """Measured stages behind, a planned rest ahead.

    Stages are planned with weights: about the seconds each one takes on a plain computer. The estimate starts from
    the weights, scales what is ahead by how much slower or faster than planned the work has gone so far, and trusts
    the running stage's own pace the more of it is done.

    Args:
        clock: seconds, rising.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = clock()
        self._weights: dict[str, float] = {}
        self._rounds: dict[str, int] = {}
        self._ended: dict[str, int] = {}  # rounds of every stage that are over
        self._seconds: dict[str, float] = {}
        self._stage_started = self._marked = self._started
        self._fraction = 0.0
        self.stage = ""
        self.step: Steps = 0
        self._size: Steps = 1  # of what was counted last
        self.steps = 0

    def plan(self, weights: Mapping[str, float], rounds: int = 1) -> None:
        """Add stages that are to come, or give planned ones a new weight; all of them in so many rounds together."""
        self._weights.update({name: max(weight, 1e-3) for name, weight in weights.items()})
        self._rounds.update(dict.fromkeys(weights, rounds))

    def begin(self, stage: str, steps: int) -> None:
        """Close the running stage and begin another one (or an earlier one again)."""
        self._seconds = self.seconds()
        self._ended[self.stage] = self._ended.get(self.stage, 0) + 1
        self.stage, self.step, self.steps = stage, 0, steps
        self._size = 1
        self._seconds.setdefault(stage, 0.0)
        self._stage_started = self._marked = self._clock()

    def advance(self, steps: Steps) -> None:
        """Count steps, or parts of one, of the running stage."""
        self.step = min(self.step + steps, self.steps)
        self._size = steps
        self._marked = self._clock()

    def seconds(self) -> dict[str, float]:
        """Seconds spent in every stage begun so far."""
        found = dict(self._seconds)
        if self.stage:
            found[self.stage] += self._clock() - self._stage_started
        return found

    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._started

    def remaining(self) -> float | None:
        """Estimated seconds to the end of the planned stages; None while nothing is planned."""
        if not self._weights:
            return None
        pace, running = self._expected()
        ahead = sum(weight * (1 - self._over(name)) for name, weight in self._weights.items() if name != self.stage)
        return max(running - self._since(), 0.0) + pace * ahead

    def _expected(self) -> tuple[float, float]:
        """How many times longer than planned the work takes, and the seconds that the running stage still needs."""
        seconds = self.seconds()
        if self.stage:
            seconds[self.stage] -= self._since()  # what a step under way has taken says nothing yet
        done = self._done()
        spent = sum(seconds[name] for name in seconds if name in self._weights)
        # As if a fiftieth of the plan had gone exactly as planned: keeps the first moments from deciding all.
        anchor = 0.02 * sum(self._weights.values())
        pace = (spent + anchor) / (self._behind() + anchor)
        own = seconds[self.stage] / done if done else 0.0
        return pace, (1 - done) * ((1 - done) * self._weights.get(self.stage, 0.0) * pace + done * own)

    def fraction(self) -> float | None:
        """Share of the planned weight that is done, 0 to 1; never falls. None while nothing is planned.

        A step under way is taken to be as large as the last one. After t of the T seconds that it is expected to take,
        but at least one, t/(t + T) of it counts: always more, and never all.
        """
        if not self._weights:
            return None
        done = self._behind() + self._under_way() * self._weights.get(self.stage, 0.0)
        self._fraction = max(self._fraction, done / sum(self._weights.values()))
        return self._fraction

    def _done(self) -> float:
        """Share of the running stage's steps that are done, in all of its rounds."""
        in_round = float(self.step / self.steps) if self.steps else 0.0
        rounds = self._rounds.get(self.stage, 1)
        return in_round if rounds == 1 else min(1.0, self._over(self.stage) + in_round / rounds)

    def _over(self, stage: str) -> float:
        """Share of a stage's rounds that are over."""
        return min(1.0, self._ended.get(stage, 0) / self._rounds.get(stage, 1))

    def _under_way(self) -> float:
        """Share of the running stage that the step under way makes up as far as it has come."""
        since, left = self._since(), self.steps - self.step
        if not since or not left:
            return 0.0
        size = min(self._size, left)
        expected = max(1.0, self._expected()[1] * size / left)
        return since / (since + expected) * float(size / self.steps) / self._rounds.get(self.stage, 1)

    def _since(self) -> float:
        """Seconds that the step under way has taken so far."""
        return self._clock() - self._marked if self.stage else 0.0

    def _behind(self) -> float:
        """Planned weight of what is done: of the stages left, and of the running one as far as it has come."""
        left = sum(self._over(name) * weight for name, weight in self._weights.items() if name != self.stage)
        return left + self._done() * self._weights.get(self.stage, 0.0)
