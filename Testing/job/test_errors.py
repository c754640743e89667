"""Errors and their remedies: one sentence in anybody's words, and the same again from an event."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path

import pytest

from CTSuperResolutionLib import errors
from CTSuperResolutionLib.cli.main import make_parser
from CTSuperResolutionLib.cli.wording import error_sentence
from CTSuperResolutionLib.errors import (
    AcceptUnusual,
    Advice,
    JobError,
    LowerPreset,
    LowerScale,
    MoreMemory,
    OtherDevice,
    OtherOption,
    ReportBug,
    SmallerPrior,
    SmallerRegion,
    Untilt,
    read_remedies,
)
from CTSuperResolutionLib.job.events import describe_error

ROOT = Path(__file__).resolve().parents[2]
RANGES = ((3, 9), (0, 40), (12, 52))

# Remedies, what Python is told, and what the command line says.
WORDS = [
    ([], "It is bad", "It is bad"),
    ([SmallerRegion()], "choose a region of interest", "choose a region of interest with --roi"),
    (
        [LowerPreset("preview", 640_000_000), SmallerRegion(RANGES)],
        "choose preset preview (0.6 GB) or a region such as 3:9,0:40,12:52",
        "choose --preset preview (0.6 GB) or a region such as --roi 3:9,0:40,12:52",
    ),
    (
        [SmallerRegion(), LowerPreset(), LowerScale(), SmallerPrior()],
        "choose a region of interest, a lower preset, a lower scale or a smaller prior",
        "choose a region of interest with --roi, a lower --preset, a lower --scale or a smaller --prior",
    ),
    ([OtherDevice("cpu")], "choose device cpu", "choose --device cpu"),
    ([MoreMemory()], "use a machine with more memory", "use a machine with more memory"),
    (
        [Advice("give a CT"), AcceptUnusual()],
        "give a CT, or allow unusual input to go on all the same",
        "give a CT, or pass --allow-unusual to go on all the same",
    ),
    ([OtherOption("file", "one with {}: a, {}")], "choose one with file: a, {}", "choose one with --file: a, {}"),
    (
        [OtherOption("crop", "a larger {}"), Advice("leave it out")],
        "choose a larger crop, or leave it out",
        "choose a larger --crop, or leave it out",
    ),
    ([Untilt()], "untilt it", "pass --untilt to shift its slices upright"),
    ([ReportBug()], "report it", "run it again with --debug and report what that prints"),
]


@pytest.mark.parametrize(("remedies", "plain", "on_the_command_line"), WORDS)
def test_an_error_is_one_sentence_in_anybodys_words(remedies, plain, on_the_command_line):
    error = JobError("It is bad" if remedies else "It is bad.", *remedies)
    start = "It is bad; " if remedies else ""
    assert str(error) == f"{start}{plain}."
    assert error_sentence(error) == f"{start}{on_the_command_line}."


@pytest.mark.parametrize("remedies", [remedies for remedies, *_ in WORDS])
def test_remedies_come_through_an_event_and_to_another_process(remedies):
    error = JobError("It is bad", *remedies)
    event = json.loads(json.dumps(describe_error(error, error_sentence)))
    assert event["problem"] == "It is bad" and event["message"] == error_sentence(error)
    assert read_remedies(event["remedies"]) == remedies
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.problem, again.remedies) == (str(error), error.problem, error.remedies)


def test_remedies_of_another_version_are_left_out():
    assert read_remedies([{"kind": "prayer", "to": "St. Anthony"}, {"kind": "scale"}]) == [LowerScale()]


def test_every_remedy_has_a_kind_of_its_own():
    assert len(errors.KINDS) == len(errors.Remedy.__subclasses__()) == len({r.kind for r in errors.KINDS.values()})


def test_memory_errors_have_remedies_too():
    event = describe_error(MemoryError(), error_sentence)
    assert event["problem"] == "The memory ran out"
    assert read_remedies(event["remedies"]) == [SmallerRegion(), LowerPreset(), LowerScale()]
    assert event["message"] == (
        "The memory ran out; choose a region of interest with --roi, a lower --preset or a lower --scale."
    )


def _options() -> set[str]:
    """All options of all commands."""
    (commands,) = (action for action in make_parser()._actions if action.dest == "command")
    return {
        option
        for parser in commands.choices.values()
        for action in parser._actions
        for option in action.option_strings
        if option.startswith("--")
    }


def test_no_line_outside_the_command_line_spells_its_options():
    """But where a command is started with them: there an option is a string by itself."""
    options = _options()
    assert {"--roi", "--preset", "--scale", "--set", "--device", "--allow-unusual", "--debug"} <= options
    option = re.compile(r"--(?:[a-z][a-z-]*|\{)")
    for folder in ("CTSuperResolutionLib", "CTSuperResolution"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path.parent == ROOT / "CTSuperResolutionLib" / "cli":
                continue
            for line in path.read_text(encoding="utf-8").splitlines():
                found = {name for name in option.findall(line) if f'"{name}"' not in line}
                assert not found & {*options, "--{"}, f"{path.relative_to(ROOT)}: {line.strip()}"
