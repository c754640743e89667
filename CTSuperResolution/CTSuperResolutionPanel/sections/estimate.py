"""Estimate of what a job would make and take, in one line, and what keeps it from being started."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from slicer.i18n import tr as _

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.planning.requirements import Requirements, requirements_on
from CTSuperResolutionPanel.process.error_messages import in_panel_words
from CTSuperResolutionPanel.process.hardware import Hardware
from CTSuperResolutionPanel.process.panel_task import PanelTask
from CTSuperResolutionPanel.process.runtime_calibration import load_calibration, save_calibration

UNKNOWN_FREE = 1 << 62
"""Taken for free where that is not known: the job itself looks again before it begins."""


@dataclass(frozen=True)
class Estimate:
    """Size, memory, device and time of a job.

    Attributes:
        line: all of it for the user, "" where that is not known.
        duration: about how long it takes, as a person would say it; "" where that is not known.
        problem: why it cannot work, "" where it can.
    """

    line: str = ""
    duration: str = ""
    problem: str = ""


def estimate(
    task: PanelTask,
    scan_shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    hardware: Hardware,
    free_disk: int,
) -> Estimate:
    """What a task would need.

    Args:
        task: the task.
        scan_shape: voxels of its scan, (z, y, x).
        spacing: of its scan, mm (z, y, x).
        hardware: what there is to compute on.
        free_disk: bytes that a job folder could take.
    """
    device = hardware.device(task.method.device)
    available = hardware.available(device or "cpu")
    try:
        free = UNKNOWN_FREE if available is None else available
        needed = requirements_on(device or "cpu", free, task.method, task.region, spacing, scan_shape)
    except JobError as error:
        return Estimate(problem=in_panel_words(error))
    duration = duration_text(load_calibration(device or "cpu").seconds(_expected(task.method, needed)))
    line = _in_one_line(
        [
            _("{size} voxels of {spacing} mm").format(
                size=_by(str(n) for n in needed.output_shape), spacing=_by(f"{s:.3g}" for s in needed.output_spacing)
            ),
            _memory_text(needed, available),
            hardware.name(device) if device else _("CPU or GPU"),
            duration,
        ]
    )
    if device and not hardware.has(device):
        problem = _("There is no NVIDIA GPU that can be used; choose another device.")
    else:
        problem = _obstacle(needed, task, free_disk)
    return Estimate(line, duration, problem)


def calibrate(
    task: PanelTask,
    scan_shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    report: Mapping[str, Any],
    total: float,
) -> None:
    """Remember how long a task took, for later estimates.

    Args:
        task: the task.
        scan_shape: voxels of its scan, (z, y, x).
        spacing: of its scan, mm (z, y, x).
        report: of its result.
        total: seconds from its start to its end.
    """
    device, stages = str(report.get("device", "cpu")), report.get("stages")
    if isinstance(stages, Mapping):
        needed = requirements_on(device, UNKNOWN_FREE, task.method, task.region, spacing, scan_shape)
        expected = _expected(task.method, needed)
        save_calibration(device, load_calibration(device).updated(expected, stages, total))


def duration_text(seconds: float) -> str:
    """About how long, as a person would say it."""
    if seconds < 50:
        return _("about {count} s").format(count=max(5, round(seconds / 5) * 5))
    minutes = round(seconds / 60)
    if minutes < 90:
        return _("about {count} min").format(count=max(1, minutes))
    return _("about {count} h").format(count=f"{seconds / 3600:.2g}")


def gigabytes(count: float) -> str:
    """Bytes, as a person would say it."""
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.0f} MB"


def _expected(method: Method, needed: Requirements) -> dict[str, float]:
    """Seconds that the library expects every stage to take."""
    return needed.stage_seconds(method) | {"write": needed.write_seconds}


def _in_one_line(parts: Iterable[str]) -> str:
    """Parts with dots between them, where alone the line may be broken."""
    return " · ".join(part.replace(" ", "\N{NO-BREAK SPACE}") for part in parts)


def _memory_text(needed: Requirements, available: int | None) -> str:
    if available is None:
        return _("{need} of memory").format(need=gigabytes(needed.memory))
    return _("{need} of {free} free memory").format(need=gigabytes(needed.memory), free=gigabytes(available))


def _obstacle(needed: Requirements, task: PanelTask, free_disk: int) -> str:
    try:
        needed.require_memory(task.method)
    except JobError as error:
        return in_panel_words(error)
    disk = needed.disk + 8 * math.prod(needed.worked_shape)
    if free_disk < disk:
        return _("The job needs {need} of temporary disk space and {free} are free; choose a region.").format(
            need=gigabytes(disk), free=gigabytes(free_disk)
        )
    return ""


def _by(parts: Iterable[str]) -> str:
    """Texts along (z, y, x), as a person writes them."""
    return " × ".join(reversed(list(parts)))
