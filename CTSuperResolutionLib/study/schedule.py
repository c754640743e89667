"""Schedule of a reader: which images are read in which order, in blocks that see every patient once.

Standard library only.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from CTSuperResolutionLib.study.plan import Plan
from CTSuperResolutionLib.study.protocol import DEGRADED, Task


@dataclass(frozen=True)
class PlannedTrial:
    """A look of a reader, before it is known what files the images are.

    Attributes:
        task: its name.
        case: its name.
        methods: what is shown, from left to right.
        questions: order of the task's criteria.
        role: "training", "main", "repeat" or "attention".
    """

    task: str
    case: str
    methods: tuple[str, ...]
    questions: tuple[str, ...]
    role: str = "main"


def sessions_of(plan: Plan, reader: str) -> list[list[PlannedTrial]]:
    """The sessions of a reader, the same for the same plan and seed.

    A task has as many blocks as it has methods or pairs of them. A block has every case once, and methods take turns
    over the cases (a Latin square), so that in every block every method is seen equally often, up to one; which side a
    method of a pair is on is balanced over the cases likewise. Blocks are shuffled, then the cases within each, and cut
    into sessions of no more trials than the plan allows, so that no session sees a patient twice. Hidden repeats are
    sessions of their own at the end; attention checks lie anywhere after the training, which opens the first session.
    """
    draw = random.Random(f"{plan.seed}/{reader}")
    blocks = [block for task in plan.tasks for block in _blocks(plan, task, draw)]
    draw.shuffle(blocks)
    main = [trial for block in blocks for trial in block]
    repeats = draw.sample(main, round(plan.repeats * len(main)))
    blocks += _by_distinct_case([_repeated(plan, trial, draw) for trial in repeats])
    sessions = []
    for block in blocks:
        draw.shuffle(block)
        count = -(-len(block) // plan.reading.most_trials)
        sessions += [block[i * len(block) // count : (i + 1) * len(block) // count] for i in range(count)]
    graded = [task for task in plan.tasks if task.kind != "marking"]
    for case in draw.sample(plan.cases, plan.attention_checks):
        session = draw.choice(sessions)
        session.insert(
            draw.randint(0, len(session)), _known_trial(plan, draw.choice(graded), case.name, draw, "attention")
        )
    sessions[0][:0] = _training(plan, draw)
    return sessions


def degraded_source(plan: Plan, case: str) -> str:
    """The method whose image of a case is degraded for checks and training, the same for all readers.

    It is drawn, so that the looks that checks add fall on all methods alike.
    """
    return random.Random(f"{plan.seed}/{case}").choice(plan.methods)


def _blocks(plan: Plan, task: Task, draw: random.Random) -> list[list[PlannedTrial]]:
    """The blocks of one task."""
    shown = _combinations(plan, task)
    cases = draw.sample([case.name for case in plan.cases], len(plan.cases))
    first = draw.randrange(2)
    blocks = []
    for turn in range(len(shown)):
        block = []
        for index, case in enumerate(cases):
            methods = shown[(index + turn) % len(shown)]
            # Over the cases of one pair, the sides take turns.
            flip = task.kind == "forced_choice" and (index // len(shown) + first + turn) % 2
            block.append(_trial(task, case, methods[::-1] if flip else methods, draw))
        blocks.append(block)
    return blocks


def _combinations(plan: Plan, task: Task) -> list[tuple[str, ...]]:
    """What one trial of a task may show."""
    if task.kind == "forced_choice":
        return list(itertools.combinations(plan.methods, 2))
    if task.kind == "reference_rating":
        return [(plan.reference, method) for method in plan.methods if method != plan.reference]
    return [(method,) for method in plan.methods]


def _trial(task: Task, case: str, methods: Sequence[str], draw: random.Random) -> PlannedTrial:
    return PlannedTrial(task.name, case, tuple(methods), tuple(draw.sample(task.criteria, len(task.criteria))))


def _training(plan: Plan, draw: random.Random) -> list[PlannedTrial]:
    """Every task that has a known answer, once on every training case."""
    return [
        _known_trial(plan, task, case.name, draw, "training")
        for case in plan.training
        for task in plan.tasks
        if task.kind != "marking"
    ]


def _repeated(plan: Plan, trial: PlannedTrial, draw: random.Random) -> PlannedTrial:
    """A trial again: the order of its questions, and its sides where it is a pair, are drawn anew."""
    (task,) = (task for task in plan.tasks if task.name == trial.task)
    methods = draw.sample(trial.methods, 2) if task.kind == "forced_choice" else trial.methods
    return replace(_trial(task, trial.case, methods, draw), role="repeat")


def _known_trial(plan: Plan, task: Task, case: str, draw: random.Random, role: str) -> PlannedTrial:
    """A trial with a known answer: the degraded copy, alone or against what it was made from."""
    methods: Sequence[str] = (DEGRADED,)
    if task.kind == "forced_choice":
        methods = draw.sample([degraded_source(plan, case), DEGRADED], 2)
    elif task.kind == "reference_rating":
        methods = (plan.reference, DEGRADED)
    return replace(_trial(task, case, methods, draw), role=role)


def _by_distinct_case(trials: Sequence[PlannedTrial]) -> list[list[PlannedTrial]]:
    """Trials in as few lists as have every case once at most."""
    lists: list[list[PlannedTrial]] = []
    for trial in trials:
        for found in lists:
            if all(trial.case != other.case for other in found):
                found.append(trial)
                break
        else:
            lists.append([trial])
    return lists
