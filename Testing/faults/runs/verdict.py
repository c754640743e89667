"""Verdict on a run: whether its exit code, its words and what it left are right."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runs.fault import Fault
from runs.run import Run
from runs.workshop import RESULTS, Files, Place, files_in

SAME = ("sr.nrrd", "cubic.nrrd", "measured.nrrd", "compare.png", "report.html")
"""Results that are the same in every run with one seed."""

NOISE = re.compile(rb"Traceback|Exception|Warning|Error\b|terminate called|core dumped|libgomp|OpenBLAS|assert")
SENTENCE = re.compile(r"[^\n]+[^\n.]\.")
HIDDEN = re.compile(r"\.ctsr-|\.part\b|/older-")


@dataclass
class References:
    """What undisturbed runs give and take.

    Attributes:
        results: files of a run, by its seed.
        home: what is in the home folder after one.
        seconds: CPU time of a new interpreter's work, and of a copy's, by ``fresh``.
    """

    results: dict[int, Files] = field(default_factory=dict)
    home: Files = field(default_factory=dict)
    seconds: dict[bool, float] = field(default_factory=dict)


def of_run(run: Run, fault: Fault) -> list[str]:
    """What is wrong with the end of a process and with its words."""
    if run.hangs:
        return ["it hangs"]
    code, wrong = run.code, []
    killed = {number for _, number in fault.signals if number == signal.SIGKILL}
    if fault.plan.get("signal") == signal.SIGKILL:
        killed.add(signal.SIGKILL)
    if code is not None and code < 0:
        if -code not in killed:
            wrong.append(f"it was ended by {signal.Signals(-code).name}")
        return wrong + ["words of a library on standard error"] * bool(NOISE.search(run.err))
    if code not in (0, *fault.allowed):
        wrong.append(f"exit code {code} and not {' or '.join(map(str, (0, *fault.allowed)))}")
    if noise := NOISE.search(run.err + run.out):
        line = (run.err + run.out)[: noise.end()].splitlines()[-1].decode(errors="replace")
        wrong.append(f"on its streams stands {line!r}")
    return wrong + (_json_words(run, fault) if fault.json else _text_words(run, fault))


def of_place(place: Place, runs: Sequence[Run], references: References) -> list[str]:
    """What is wrong with the files: the output folder has to be as before or whole, and all others as before."""
    wrong = [f"{path} is left among the temporary files" for path in files_in(place.temporary)]
    after = files_in(place.results)
    codes = [run.code for run in runs]
    whole = [seed for seed in range(len(runs)) if after == _with_results(place, after, references.results[seed])]
    if 0 in codes:
        if not any(codes[seed] == 0 for seed in whole):
            wrong.append(f"the results are not whole: {_difference(place, after, references.results[codes.index(0)])}")
    elif after != place.before and not (whole and min(code or 0 for code in codes) < 0):
        wrong.append(f"the output is not as it was: {_difference(place, after, place.before, results=False)}")
    for name, content in after.items():
        if name.endswith("result.json") and name not in place.before and not _is_json(content):
            wrong.append(f"{name} is no JSON")
    return wrong


def of_home(home: Path, references: References) -> list[str]:
    """Files that came into the home folder, each told of once."""
    after = files_in(home)
    new = sorted(after.keys() - references.home.keys())
    references.home = {**references.home, **after}
    return [f"{name} is left in the home folder" for name in new]


def last_words(run: Run, fault: Fault) -> str:
    """What a run said last."""
    lines = (run.out if fault.json else run.err).decode(errors="replace").splitlines()
    if not lines:
        return ""
    try:
        return json.loads(lines[-1]).get("message", "result") if fault.json else lines[-1]
    except ValueError:
        return lines[-1]


def _json_words(run: Run, fault: Fault) -> list[str]:
    wrong = []
    if run.err:
        wrong.append(f"standard error is not empty: {run.err[:200]!r}")
    if fault.reader.leaves_after is not None:
        return wrong
    # Nobody reads, and it was told to end: a result that does not fit into the pipe is not heard, and nothing else.
    unheard = run.code == 0 and fault.reader.rests_after is not None and bool(fault.signals)
    try:
        events = [json.loads(line) for line in run.out.splitlines() if not unheard or line.endswith(b"}")]
    except ValueError:
        return [*wrong, "an event is no JSON"]
    final = [event for event in events if event["event"] in ("result", "error")]
    if unheard and not final:
        return wrong
    if len(final) != 1 or events[-1] is not final[0]:
        return [*wrong, f"{len(final)} final events, the last event being {events[-1:]}"]
    if final[0].get("exit_code", 0) != run.code:
        wrong.append(f"exit code {run.code}, and the final event is {final[0]}")
    if final[0]["event"] == "error":
        wrong += _sentence(final[0]["message"])
    return wrong


def _text_words(run: Run, fault: Fault) -> list[str]:
    lines = run.err.decode(errors="replace").splitlines()
    said = [line for line in lines if line.startswith("ctsr: ")]
    if run.code == 0:
        return ["it complains all the same"] * bool(said)
    if len(said) != 1 or lines[-1] != said[0]:
        return [f"{len(said)} sentences, the last line being {lines[-1:]}"]
    return _sentence(said[0])


def _sentence(text: str) -> list[str]:
    wrong = []
    if not SENTENCE.fullmatch(text):
        wrong.append(f"no sentence: {text!r}")
    if HIDDEN.search(text):
        wrong.append(f"a sentence with a hidden path: {text!r}")
    if "internal error" in text:
        wrong.append(f"{text!r}")
    return wrong


def _with_results(place: Place, after: Files, results: Files) -> Files:
    """The output as it has to be: what was there, less results of an earlier run, and those of this one."""
    out = place.out.relative_to(place.results)
    kept = {name: content for name, content in place.before.items() if not name.endswith("uncertainty.nrrd")}
    folders = {str(folder): None for folder in (out, *out.parents) if str(folder) != "."}
    new: dict[str, Any] = {f"{out}/{name}": results[name] for name in SAME}
    report = f"{out}/result.json"
    told = {report: after[report]} if after.get(report) is not None else {report: b""}
    return {**kept, **folders, **new, **told} if _is_report(told[report]) else {}


def _is_report(content: bytes | None) -> bool:
    return _is_json(content) and set(json.loads(content or b"")["files"]) == set(RESULTS)


def _is_json(content: bytes | None) -> bool:
    try:
        json.loads(content or b"")
    except ValueError:
        return False
    return True


def _difference(place: Place, after: Files, due: Files, *, results: bool = True) -> str:
    """In few words, what is there and what should be."""
    if results:
        due = _with_results(place, after, due) or {**due}
    missing = sorted(set(due) - set(after))
    more = sorted(set(after) - set(due))
    other = sorted(name for name in set(after) & set(due) if after[name] != due[name])
    parts = {"missing": missing, "not to be there": more, "other than due": other}
    return "; ".join(f"{what} {', '.join(names)}" for what, names in parts.items() if names)
