"""What a runner is doing."""

from __future__ import annotations

import enum


class State(enum.Enum):
    """What the runner is doing. IDLE and FAILED are ready for the next job."""

    IDLE = "idle"
    INSTALLING = "installing"
    EXPORTING = "exporting"
    RUNNING = "running"
    CANCELLING = "cancelling"
    LOADING = "loading"
    FAILED = "failed"
