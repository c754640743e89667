"""How fast this computer is, learnt from the jobs that it has done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import qt

SETTINGS_GROUP = "CTSuperResolution/Pace"
NEW_WEIGHT = 0.5
"""How much of what is known the last job replaces: computers are sometimes busy."""


@dataclass(frozen=True)
class Pace:
    """Seconds for what no stage counts (starting, exporting, loading), and how the stages compare with the library's
    estimate.
    """

    overhead: float = 4.0
    factor: float = 1.0

    def seconds(self, expected: Mapping[str, float]) -> float:
        """About how long a job takes whose stages the library expects to take so long."""
        return self.overhead + self.factor * sum(expected.values())

    def learn(self, expected: Mapping[str, float], stages: Mapping[str, Any], total: float) -> Pace:
        """What is known after another job.

        Args:
            expected: seconds by stage, as the library expected them.
            stages: what they took, as the job's report says.
            total: seconds from its start to its end.
        """
        try:
            took = sum(float(stages[name]["seconds"]) for name in expected)
        except (KeyError, TypeError, ValueError):
            return self  # another version of the library
        factor = min(max(took / sum(expected.values()), 0.01), 100.0)
        return Pace(overhead=_mix(self.overhead, max(total - took, 1.0)), factor=_mix(self.factor, factor))


def known_pace(device: str) -> Pace:
    """The pace of a kind of device, from the user's settings."""
    value = qt.QSettings().value(f"{SETTINGS_GROUP}/{_kind(device)}")
    try:
        overhead, factor = (float(part) for part in str(value).split())
    except ValueError:
        return Pace()
    return Pace(overhead, factor)


def remember(device: str, pace: Pace) -> None:
    """Keep the pace of a kind of device in the user's settings."""
    qt.QSettings().setValue(f"{SETTINGS_GROUP}/{_kind(device)}", f"{pace.overhead:.3f} {pace.factor:.4f}")


def _kind(device: str) -> str:
    return device.partition(":")[0]


def _mix(old: float, new: float) -> float:
    return (1 - NEW_WEIGHT) * old + NEW_WEIGHT * new
