"""States of the runner: ready, or at a stage of a job."""

from __future__ import annotations

import enum


class RunnerState(enum.Enum):
    """State of the runner. IDLE and FAILED are ready for the next job."""

    IDLE = "idle"
    INSTALLING = "installing"
    EXPORTING = "exporting"
    RUNNING = "running"
    CANCELLING = "cancelling"
    LOADING = "loading"
    FAILED = "failed"
