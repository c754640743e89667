"""Calibration of the expected run time, from the jobs that this computer has done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import qt

SETTINGS_GROUP = "CTSuperResolution/RuntimeCalibration"
NEW_WEIGHT = 0.5
"""Weight of the last job against all before it: computers are sometimes busy."""


@dataclass(frozen=True)
class RuntimeCalibration:
    """Corrects the library's estimate for one kind of device.

    Attributes:
        overhead: seconds for what no stage counts (starting, exporting, loading).
        factor: how many times longer the stages take than the library expects.
    """

    overhead: float = 4.0
    factor: float = 1.0

    def seconds(self, expected: Mapping[str, float]) -> float:
        """About how long a job takes whose stages the library expects to take so long."""
        return self.overhead + self.factor * sum(expected.values())

    def updated(self, expected: Mapping[str, float], stages: Mapping[str, Any], total: float) -> RuntimeCalibration:
        """The calibration after another job.

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
        return RuntimeCalibration(
            overhead=_mix(self.overhead, max(total - took, 1.0)), factor=_mix(self.factor, factor)
        )


def load_calibration(device: str) -> RuntimeCalibration:
    """The calibration for a kind of device, from the user's settings."""
    value = qt.QSettings().value(f"{SETTINGS_GROUP}/{_kind(device)}")
    try:
        overhead, factor = (float(part) for part in str(value).split())
    except ValueError:
        return RuntimeCalibration()
    return RuntimeCalibration(overhead, factor)


def save_calibration(device: str, calibration: RuntimeCalibration) -> None:
    """Keep the calibration for a kind of device in the user's settings."""
    qt.QSettings().setValue(f"{SETTINGS_GROUP}/{_kind(device)}", f"{calibration.overhead:.3f} {calibration.factor:.4f}")


def _kind(device: str) -> str:
    return device.partition(":")[0]


def _mix(old: float, new: float) -> float:
    return (1 - NEW_WEIGHT) * old + NEW_WEIGHT * new
