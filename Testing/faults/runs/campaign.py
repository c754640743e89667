"""Campaign of faults against ``ctsr run``: undisturbed runs first, then trials of every kind, some side by side."""

from __future__ import annotations

import queue
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from runs.drawing import KINDS, draw
from runs.fault import Before, Fault
from runs.trial import Laboratory, Trial
from runs.verdict import References
from runs.workshop import Workshop, files_in

SIDES = 2
"""Laboratories at work at a time."""

STATES: tuple[Before, ...] = ("missing", "empty", "earlier")


class Campaign:
    """Faults against ``ctsr run``.

    Args:
        folder: an empty folder to work in.
        seed: of all faults.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self._seed = seed
        self._workshop = Workshop(folder)
        self._references = References()
        self._laboratories = [Laboratory(self._workshop, self._references, f"run-{side}") for side in range(SIDES)]
        self._calls: dict[Before, list[str]] = {}

    def prepare(self) -> None:
        """Make the scan, and learn from undisturbed runs what runs give and what they take."""
        environment = self._workshop.environment(self._workshop.folder)
        subprocess.run(self._workshop.materials, env=environment, check=True)
        first = self._laboratories[0]
        first.learn(seed=0, fresh=True)
        for seed in (0, 1, 0):
            first.learn(seed=seed, fresh=False)
        self._references.home = files_in(self._workshop.home)
        for before in STATES:
            self._calls[before] = first.calls(before)

    def cases(self, *, short: bool) -> list[str]:
        """Names of the cases of the long form or the short one."""
        return [f"{kind} {n}" for kind, (_, *counts) in KINDS.items() for n in range(counts[short])]

    def fault(self, case: str) -> Fault:
        """The fault that a case stands for."""
        kind, _, n = case.rpartition(" ")
        return draw(kind, int(n), self._seed, self._calls)

    def carry_out(self, cases: Iterable[str], told: Callable[[Trial], None]) -> list[Trial]:
        """Carry out cases, each told of as it is done, and return what came of them in their order."""
        todo: queue.SimpleQueue[str] = queue.SimpleQueue()
        done: dict[str, Trial] = {}
        failures: list[BaseException] = []
        cases = list(cases)
        for case in cases:
            todo.put(case)

        def work(laboratory: Laboratory) -> None:
            try:
                while not failures:
                    case = todo.get_nowait()
                    done[case] = laboratory.carry_out(case, self.fault(case))
                    told(done[case])
            except queue.Empty:
                pass
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(laboratory,)) for laboratory in self._laboratories]
        for thread in threads:
            thread.start()
            time.sleep(0.1)
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        return [done[case] for case in cases]

    def close(self) -> None:
        """End its processes."""
        for laboratory in self._laboratories:
            laboratory.close()
