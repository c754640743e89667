"""Progress of a task: the button that starts and cancels it, and the bar that says what is done."""

from __future__ import annotations

from dataclasses import dataclass

import qt
from slicer.i18n import tr as _

from CTSuperResolutionLib.job.terminal import clock_text
from CTSuperResolutionPanel.process.runner_state import RunnerState


@dataclass(frozen=True)
class TaskProgress:
    """A button and a bar.

    Attributes:
        button, bar: the widgets.
        start, start_tip: what the button says, and its tool tip, where nothing is under way.
        cancel_tip: its tool tip otherwise.
    """

    button: qt.QPushButton
    bar: qt.QProgressBar
    start: str
    start_tip: str
    cancel_tip: str

    def show_button(self, state: RunnerState, *, busy: bool, ready: bool) -> None:
        """Offer to start, where all is ready for that, or to cancel."""
        button = self.button
        if busy:
            button.text = _("Cancelling…") if state is RunnerState.CANCELLING else _("Cancel")
            button.enabled = state not in (RunnerState.CANCELLING, RunnerState.INSTALLING)
            button.toolTip = self.cancel_tip
        else:
            button.text, button.enabled, button.toolTip = self.start, ready, self.start_tip

    def show_bar(self, state: RunnerState, *, busy: bool, fraction: float, doing: str, remaining: float | None) -> None:
        """Show how much is done, what the process is doing, and about how many seconds are left."""
        self.bar.visible = busy and state is not RunnerState.INSTALLING
        self.bar.value = round(1000 * fraction)
        own = {
            RunnerState.EXPORTING: _("Handing over the scan"),
            RunnerState.LOADING: _("Loading the result"),
            RunnerState.CANCELLING: _("Cancelling"),
        }
        if state in own or remaining is None:
            self.bar.format = own.get(state, doing)
        else:
            self.bar.format = _("{stage} · {time} left").format(stage=doing, time=clock_text(remaining))
