"""Trial: a fault carried out, and everything that was wrong with what came of it."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import time
from dataclasses import dataclass, field
from functools import partial

import psutil

from runs import verdict
from runs.fault import LATE, Before, Fault
from runs.run import Run
from runs.starting import Template, start_fresh
from runs.verdict import References
from runs.workshop import Place, Workshop

PATIENCE = 10.0
"""Seconds for what a process leaves to the one that tidies up after it, and for the end of a run that was stopped."""


WAITING = 1.0
"""Seconds after which a process that takes no CPU time waits for something, and what is due later is due now."""


@dataclass
class Trial:
    """What came of a fault.

    Attributes:
        case: its name.
        fault: what was done.
        codes: exit codes of its runs.
        seconds: what it took.
        said: last words of its runs.
        wrong: what does not hold, a sentence each.
    """

    case: str
    fault: Fault
    codes: list[int | None] = field(default_factory=list)
    seconds: float = 0.0
    said: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


class Laboratory:
    """Carries faults out, one after the other.

    Args:
        workshop: where.
        references: what runs have to give, and what they take.
        name: of this one among several.
    """

    def __init__(self, workshop: Workshop, references: References, name: str) -> None:
        self.workshop, self.references, self._name = workshop, references, name
        self._count = 0
        self._template: Template | None = None

    def close(self) -> None:
        """End its processes."""
        if self._template is not None:
            self._template.close()

    def learn(self, *, seed: int, fresh: bool) -> None:
        """Take the results of an undisturbed run, and the time it takes, for what they have to be."""
        place = self._place("empty")
        run = self._start(place, Fault("undisturbed", "", fresh=fresh), seed)
        self._sit_out(run, Fault("undisturbed", ""))
        if run.code != 0:
            raise RuntimeError(f"an undisturbed run fails with {run.code}: {run.out[-500:]!r} {run.err[-500:]!r}")
        self.references.results[seed] = {path.name: path.read_bytes() for path in place.out.iterdir()}
        self.references.seconds[fresh] = min(run.worked, self.references.seconds.get(fresh, run.worked))
        shutil.rmtree(place.folder)

    def calls(self, before: Before) -> list[str]:
        """The calls of the file layer in an undisturbed run."""
        place, log = self._place(before), self.workshop.folder / "calls"
        self._sit_out(self._start(place, Fault("", "", plan={"layer": "file", "log": str(log)}), 0), Fault("", ""))
        calls = [re.sub(r"/\S*/(\.ctsr-)?", "", line) for line in log.read_text(encoding="utf-8").splitlines()]
        log.unlink()
        shutil.rmtree(place.folder)
        return calls

    def carry_out(self, case: str, fault: Fault) -> Trial:
        """Run under a fault, and judge."""
        since = time.monotonic()
        place = self._place(fault.before)
        runs: list[Run] = []
        try:
            runs.append(self._start(place, fault, seed=0))
            if fault.second is None:
                self._sit_out(runs[0], fault)
            else:
                runs.append(self._start_second(place, fault, runs[0]))
                for run in runs:
                    self._sit_out(run, Fault(fault.kind, fault.about))
            left = _wait_for_helpers(place)
        finally:
            for run in runs:
                if not run.look():
                    run.kill()
        trial = Trial(case, fault, [run.code for run in runs], time.monotonic() - since)
        trial.said = [verdict.last_words(run, fault) for run in runs]
        trial.wrong = [
            *(f"process {process} is left" for process in left),
            *(wrong for run in runs for wrong in verdict.of_run(run, fault)),
            *verdict.of_place(place, runs, self.references),
            *verdict.of_home(self.workshop.home, self.references),
        ]
        shutil.rmtree(place.folder, ignore_errors=True)
        return trial

    def _place(self, before: Before) -> Place:
        self._count += 1
        return self.workshop.place(f"{self._name}-{self._count}", before)

    def _start(self, place: Place, fault: Fault, seed: int) -> Run:
        arguments = self.workshop.arguments(place.out, json=fault.json, seed=seed)
        environment = self.workshop.environment(place.temporary)
        if fault.fresh:
            start = partial(start_fresh, arguments, environment, fault.plan)
        else:
            if self._template is None:
                self._template = Template(self.workshop.environment(self.workshop.folder))
            start = partial(self._template.start, arguments, environment, fault.plan)
        return Run(fault, start)

    def _start_second(self, place: Place, fault: Fault, first: Run) -> Run:
        """Another run into the same folder: later, or while the first one stands still, which then goes on."""
        plain = Fault(fault.kind, fault.about, json=fault.json, fresh=fault.fresh)
        stands_still = "signal" in fault.plan
        while not first.look():
            if first.is_stopped if stands_still else self._is_due(first, fault.second or 0.0, fault):
                break
            time.sleep(0.01)
        second = self._start(place, plain, seed=1)
        if stands_still:
            while not second.look() and second.idle < WAITING:
                first.look()
                time.sleep(0.01)
            first.send(signal.SIGCONT)
        return second

    def _sit_out(self, run: Run, fault: Fault) -> None:
        due = list(fault.signals)
        sent: float | None = None
        while not run.look():
            if due and self._is_due(run, due[0][0], fault) and (due[0][1] == signal.SIGKILL or run.handles_signals):
                share, number = due.pop(0)
                run.send(number)
                if share != LATE:  # then there is only an interpreter to end, which takes its time
                    sent = time.monotonic()
            if sent is not None and time.monotonic() - sent > PATIENCE:
                run.hangs = True
                run.kill()
            time.sleep(0.005)

    def _is_due(self, run: Run, share: float, fault: Fault) -> bool:
        if share == LATE:
            return run.has_told_the_result
        return run.used >= share * self.references.seconds[fault.fresh] or run.idle > WAITING


def _wait_for_helpers(place: Place) -> list[str]:
    """Processes that a run has started and that do not end by themselves."""
    end = time.monotonic() + PATIENCE
    while found := _helpers(place):
        if time.monotonic() > end:
            break
        time.sleep(0.02)
    return [_name_and_end(process) for process in found]


def _helpers(place: Place) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("TMPDIR") == str(place.temporary) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _name_and_end(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        name = " ".join(process.cmdline())[:60]
        process.kill()
        return name
    return str(process.pid)
