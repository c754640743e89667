"""Work on a part of a volume: its job folder, the steps in this process, perhaps a process; all put away as one."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from CTSuperResolutionPanel.process.job_folder import JobFolder
from CTSuperResolutionPanel.process.process import Process, environment_for
from CTSuperResolutionPanel.process.stepper import Stepper


class Work:
    """What one piece of work holds, from its begin to its end, however it ends.

    Args:
        python: runs the small process that deletes the folder when Slicer crashes.

    Attributes:
        folder: private, for it holds a patient's image.
        process: one that this work alone uses, if there is one.

    Raises:
        OSError: the folder cannot be made.
    """

    def __init__(self, python: Path) -> None:
        self.folder = JobFolder(python, environment_for(python))
        self.process: Process | None = None
        self._stepper: Stepper | None = None

    def do(
        self,
        steps: Generator[float, None, Any],
        *,
        done: Callable[[Any], None],
        failed: Callable[[Exception], None],
        progress: Callable[[float], None] = lambda fraction: None,
    ) -> None:
        """Do steps in the event loop, as :class:`.Stepper`; those before are over."""
        self._stepper = Stepper(steps, done=done, failed=failed, progress=progress)
        self._stepper.start()

    def put_away(self) -> None:
        """Stop what goes on and delete the folder. May be called again."""
        if self._stepper is not None:
            self._stepper.stop()
        if self.process is not None:
            self.process.abandon()
        self.folder.delete()
        self.process = self._stepper = None
