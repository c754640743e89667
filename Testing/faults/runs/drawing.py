"""Drawing of faults: of every kind so many, each from its own seed, so that one can be drawn again by itself."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from runs.fault import LATE, Before, Fault, Reader

CANCELLED, IMPOSSIBLE = 3, 2
ERRORS = ("ENOSPC", "EIO", "EACCES")
CREATING = ("open", "write", "mkdir", "fsync", "write image")
MB = 1 << 20

Draw = Callable[[Fault, random.Random, int, Sequence[str]], Fault]
"""Takes a fault that says nothing but how its run is set up, chance, a number from 0, and the calls of a plain run."""


def killed(run: Fault, chance: random.Random, n: int, calls: Sequence[str]) -> Fault:
    """SIGKILL at any moment."""
    at = chance.uniform(0, 1.05)
    return replace(run, about=f"SIGKILL after {at:.2f} of a run", fresh=n % 4 == 0, signals=((at, signal.SIGKILL),))


def killed_at_a_call(run: Fault, chance: random.Random, n: int, calls: Sequence[str]) -> Fault:
    """SIGKILL at every call of the file layer in turn."""
    at = in_turn(n, calls)
    plan = {"layer": "file", "at": at, "signal": int(signal.SIGKILL)}
    return replace(run, about=f"SIGKILL at call {at} ({calls[at - 1]})", plan=plan)


def terminated_at_a_call(run: Fault, chance: random.Random, n: int, calls: Sequence[str]) -> Fault:
    """SIGTERM at every call of the file layer in turn."""
    at = in_turn(n, calls)
    plan = {"layer": "file", "at": at, "signal": int(signal.SIGTERM)}
    return replace(run, about=f"SIGTERM at call {at} ({calls[at - 1]})", plan=plan, allowed=(CANCELLED,))


def terminated(run: Fault, chance: random.Random, n: int, calls: Sequence[str]) -> Fault:
    """SIGTERM at any moment."""
    return _signalled(run, chance, n, signal.SIGTERM)


def interrupted(run: Fault, chance: random.Random, n: int, calls: Sequence[str]) -> Fault:
    """SIGINT at any moment, at times twice."""
    return _signalled(run, chance, n, signal.SIGINT)


def failing_call(run: Fault, chance: random.Random, n: int, calls: Sequence[str]) -> Fault:
    """Every call of the file layer fails in turn, alone or with all later ones that create or write."""
    at = in_turn(n, calls)
    turn = n // len(calls) + at
    error, lasting = ERRORS[turn % len(ERRORS)], calls[at - 1].split()[0] in CREATING and turn % 2 == 0
    plan = {"layer": "file", "at": at, "error": error, "lasting": lasting}
    about = f"{error} {'from' if lasting else 'at'} call {at} ({calls[at - 1]})"
    return replace(run, about=about, plan=plan, allowed=(IMPOSSIBLE,))


def full_file(run: Fault, chance: random.Random, n: int, calls: Sequence[str]) -> Fault:
    """No file may exceed a size: a limit of the system, which writers in C++ meet as well."""
    size = round(10 ** chance.uniform(1.5, 5.0))
    return replace(run, about=f"files end at {size} bytes", plan={"file_size": size}, allowed=(IMPOSSIBLE,))


def full_memory(run: Fault, chance: random.Random, n: int, calls: Sequence[str]) -> Fault:
    """A limit of the address space, from the start or once the libraries are loaded."""
    fresh = n % 3 == 0
    size = round(MB * (10 ** chance.uniform(1.5, 3.3) if fresh else 10 ** chance.uniform(-0.5, 2.0)))
    about = f"{size / MB:.1f} MB more memory than {'at the start' if fresh else 'with its libraries'}"
    return replace(run, about=about, fresh=fresh, plan={"address_space": size}, allowed=(IMPOSSIBLE,))


def failing_allocation(run: Fault, chance: random.Random, n: int, calls: Sequence[str]) -> Fault:
    """A large allocation of numpy or torch fails."""
    at = round(10 ** chance.uniform(0, 2.0))
    plan = {"layer": "allocation", "at": at}
    return replace(run, about=f"large allocation {at} fails", plan=plan, allowed=(IMPOSSIBLE,))


def clock_jumps(run: Fault, chance: random.Random, n: int, calls: Sequence[str]) -> Fault:
    """The clocks jump: all of them forward, or the calendar's back."""
    at, jump = chance.randint(1, 300), chance.choice((3, 3600, 1e6, 1e9, -3600, -1e9))
    plan = {"layer": "clock", "at": at, "jump": jump}
    return replace(run, about=f"clock jumps by {jump:g} s at look {at}", fresh=n % 3 == 0, plan=plan)


def slow_reader(run: Fault, chance: random.Random, n: int, calls: Sequence[str]) -> Fault:
    """Standard output is read slowly, or not for a while, so that it is full."""
    if n % 2:
        return replace(run, about="a slow reader", reader=Reader(slow=True))
    after = chance.randint(0, 3000)
    return replace(run, about=f"nobody reads for 4 s after {after} bytes", reader=Reader(rests_after=after, rest=4.0))


def dead_reader(run: Fault, chance: random.Random, n: int, calls: Sequence[str]) -> Fault:
    """Nobody reads standard output any more. With text, that is no reason to stop."""
    after = chance.choice((0, chance.randint(1, 6000)))
    return replace(
        run,
        about=f"the reader leaves after {after} bytes",
        reader=Reader(leaves_after=after),
        allowed=(CANCELLED,) * run.json,
    )


def stopped_unread(run: Fault, chance: random.Random, n: int, calls: Sequence[str]) -> Fault:
    """SIGTERM while nobody reads and standard output is full."""
    reader = Reader(rests_after=chance.randint(0, 2000), rest=60.0)
    at = chance.uniform(0.1, 1.5)
    about = f"nobody reads; SIGTERM after {at:.2f} of a run"
    return replace(run, about=about, reader=reader, signals=((at, signal.SIGTERM),), allowed=(CANCELLED,))


def odd_stdin(run: Fault, chance: random.Random, n: int, calls: Sequence[str]) -> Fault:
    """Standard input is closed, at its end, or full of bytes that mean nothing."""
    kinds = ("ended", "null", "noise", "closed")
    kind = kinds[n % len(kinds)]
    return replace(run, about=f"standard input is {kind}", stdin=kind, fresh=kind == "closed")  # type: ignore[arg-type]


def two_at_once(run: Fault, chance: random.Random, n: int, calls: Sequence[str]) -> Fault:
    """Two runs into one folder: side by side, or one as a whole while the other stands still at a call."""
    if n % 3 == 0:
        delay = chance.uniform(0, 0.3)
        return replace(run, about=f"a second run {delay:.2f} of a run later", second=delay, allowed=(IMPOSSIBLE,))
    at = len(calls) - n * 7 % (len(calls) * 2 // 3)
    plan = {"layer": "file", "at": at, "signal": int(signal.SIGSTOP)}
    about = f"a second run while the first stands still at call {at} ({calls[at - 1]})"
    return replace(run, about=about, plan=plan, second=0.0, allowed=(IMPOSSIBLE,))


KINDS: dict[str, tuple[Draw, int, int]] = {
    "SIGKILL": (killed, 30, 3),
    "SIGKILL at a file call": (killed_at_a_call, 30, 2),
    "SIGTERM": (terminated, 30, 2),
    "SIGTERM at a file call": (terminated_at_a_call, 20, 1),
    "SIGINT": (interrupted, 30, 2),
    "file call fails": (failing_call, 90, 5),
    "file size limit": (full_file, 10, 1),
    "memory limit": (full_memory, 12, 1),
    "allocation fails": (failing_allocation, 16, 1),
    "clock jumps": (clock_jumps, 12, 1),
    "slow reader": (slow_reader, 8, 1),
    "dead reader": (dead_reader, 8, 1),
    "stopped unread": (stopped_unread, 8, 1),
    "odd stdin": (odd_stdin, 8, 1),
    "two at once": (two_at_once, 12, 2),
}
"""Kinds of faults: how one is drawn, and how many there are in the long form and in the short one."""


IN_TURN = ("SIGKILL at a file call", "SIGTERM at a file call", "file call fails")
"""Kinds that go through the calls of the file layer one by one."""


def draw(kind: str, n: int, seed: int, calls: Mapping[Before, Sequence[str]]) -> Fault:
    """The n-th fault of a kind.

    Args:
        kind: one of KINDS.
        n: from 0.
        seed: of all.
        calls: the calls of the file layer in an undisturbed run, in order, by what the output folder was before.
    """
    chance = random.Random(f"{seed}/{kind}/{n}")
    before: Before = chance.choice(("missing", "empty", "earlier"))
    if kind in IN_TURN:
        n += random.Random(f"{seed}/{kind}").randrange(1000)
        before = "missing" if n % 4 == 0 else "earlier"
    run = Fault(kind, "", json=chance.random() < 0.6, before=before)
    return KINDS[kind][0](run, chance, n, calls[before])


def in_turn(n: int, calls: Sequence[str]) -> int:
    """The number of a call, from 1; n in a row as long as the calls are meet each of them, far ones first."""
    step = next(s for s in range(round(0.382 * len(calls)), len(calls)) if _coprime(s, len(calls)))
    return n * step % len(calls) + 1


def _coprime(a: int, b: int) -> bool:
    while b:
        a, b = b, a % b
    return a == 1


def _signalled(run: Fault, chance: random.Random, n: int, number: int) -> Fault:
    name = signal.Signals(number).name
    if n % 5 == 4:  # too late to stop anything
        return replace(run, about=f"{name} once the result is told", signals=((LATE, number),))
    at = chance.uniform(0, 1)
    twice = number == signal.SIGINT and n % 3 == 0
    signals = ((at, number), (at + 0.02, number)) if twice else ((at, number),)
    about = f"{name} after {at:.2f} of a run" + (", twice" if twice else "")
    return replace(run, about=about, fresh=n % 4 == 1, signals=signals, allowed=(CANCELLED,))
