"""Targets of the kernels, and whether a check's figures reach them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

CARD = "H200"  # the times are for this one
FIT_SECONDS = 25.0  # 5,000 iterations at 512 x 512 with 100,000 Gaussians
WHOLE_SECONDS = 90.0  # 128³ to 512³ with 100 views and the compact prior
VALUE, GRADIENT = 1e-5, 1e-4  # relative to the float64 reference
SLABS_HU = 1.0
SLABS_SHARE = 0.7  # of four slabs, each with its margin
ROOFLINE = 0.5  # share of the bandwidth or of the arithmetic rate, whichever is nearer


def judge(found: Mapping[str, Any], *, timed: bool) -> list[dict[str, Any]]:
    """One entry for every target: its name, the value found, the target, and passed: true, false or null.

    null is what cannot be said: a part was left out, or times are for another card or were not asked for.

    Args:
        found: the parts' figures by name.
        timed: whether the sizes are those of the targets.
    """
    right_card = timed and CARD in found["device"]["name"]
    return [
        _entry(name, value, target, passed if counts else None)
        for name, value, target, passed, counts in _targets(found, timed=timed, right_card=right_card)
    ]


def describe(target: Mapping[str, Any]) -> str:
    """One line of text."""
    verdict = {True: "passed", False: "FAILED", None: "not judged"}[target["passed"]]
    return f"{verdict:<11} {target['name']}: {_shown(target['value'])} (target {_shown(target['target'])})"


def _targets(
    found: Mapping[str, Any], *, timed: bool, right_card: bool
) -> Iterator[tuple[str, Any, Any, bool | None, bool]]:
    errors = found.get("agreement", {})
    for name, most in (("value", VALUE), ("gradient", GRADIENT)):
        error = errors.get(name)
        yield f"largest {name} error", error, most, error is not None and error <= most, error is not None
    same = errors.get("repeatable")
    yield "the same twice, bit for bit", same, True, same is True, same is not None
    tests = found.get("tests", {})
    yield "backend tests", tests.get("summary"), "all pass", tests.get("passed"), tests.get("passed") is not None
    for row in found.get("rows", ()):  # of the kernels; a step does more than they
        if row["backend"] == "cuda" and row["op"] != "step":
            for way in ("forward", "backward"):
                share = max(row[f"{way}_bandwidth"], row[f"{way}_arithmetic"])
                name = " ".join(str(row[key]) for key in ("op", "geometry", "gaussians", "size") if row[key])
                yield f"{name} {way}, share of the roofline", share, ROOFLINE, share >= ROOFLINE, timed
    for part, most in (("fit", FIT_SECONDS), ("whole", WHOLE_SECONDS)):
        figures = found.get(part, {})
        seconds = figures.get("seconds")
        complete = seconds is not None and figures.get("complete", True)
        yield f"{part}, seconds on an {CARD}", seconds, most, complete and seconds <= most, complete and right_card
    slabs = found.get("slabs", {})
    apart = slabs.get("largest_hu")
    yield "slabs against all at once, HU", apart, SLABS_HU, apart is not None and apart <= SLABS_HU, apart is not None
    peaks = [slabs.get(name, {}).get("gpu_peak_mb") for name in ("in_slabs", "at_once")]
    known = timed and None not in peaks
    share = peaks[0] / peaks[1] if known else None
    yield "GPU memory of slabs over all at once", share, SLABS_SHARE, known and share <= SLABS_SHARE, known


def _entry(name: str, value: Any, target: Any, passed: bool | None) -> dict[str, Any]:
    return {"name": name, "value": value, "target": target, "passed": passed}


def _shown(value: Any) -> str:
    return "nothing" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)
