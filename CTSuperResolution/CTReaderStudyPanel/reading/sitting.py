"""Sitting of a reader at a study, from opening it to leaving it: which trial is shown, and what may be done now."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

import slicer
from CTSuperResolutionPanel.process.error_messages import in_panel_words
from slicer.i18n import tr as _

from CTReaderStudyPanel.reading.reading_views import ReadingViews
from CTReaderStudyPanel.reading.stopwatch import Stopwatch
from CTReaderStudyPanel.reading.trial_images import TrialImages
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.study.reading import StudyReading, open_reading
from CTSuperResolutionLib.study.study_files import Trial


class State(Enum):
    """What a reader sees."""

    CLOSED = "no study"
    BREAK = "a session is about to begin"
    LOADING = "images are on their way"
    LOOKING = "a trial"
    FEEDBACK = "what a training trial has to say"
    PAUSED = "nothing, until the reader goes on"
    DONE = "that everything is read"


class Sitting:
    """Goes through the trials of one reader.

    Args:
        views: where the images are shown.
        on_change: called after every change of the state or of what there is to say.

    Attributes:
        state: what the reader sees.
        reading: the reader's way through the study; None while none is open.
        message: what went wrong last, in a sentence, or what a training trial has to say.
    """

    def __init__(self, views: ReadingViews, on_change: Callable[[], None]) -> None:
        self._views, self._on_change = views, on_change
        self._images = TrialImages(self._image_loaded, self._image_failed)
        self._watch = Stopwatch()
        self.state = State.CLOSED
        self.reading: StudyReading | None = None
        self.message = ""

    @property
    def trial(self) -> Trial | None:
        """What is asked; None where nothing is."""
        return self.reading.trial if self.reading is not None else None

    @property
    def may_undo(self) -> bool:
        """Whether there may be an answer to take back now."""
        there = self.reading is not None and self.reading.study.reading.undo and self.reading.answered > 0
        return there and self.state in (State.LOOKING, State.FEEDBACK, State.BREAK, State.DONE)

    def open(self, folder: Path, reader: str) -> None:
        """Go on where this reader left a study. Where that cannot be, the message says why."""
        self.leave()
        try:
            self.reading = open_reading(folder, reader).__enter__()
        except JobError as error:
            self._say(in_panel_words(error))
            return
        self._views.take()
        self._next()

    def leave(self) -> None:
        """Close the study and give the user's views back. An answer that is not saved is lost."""
        self._watch.reset()
        if self.reading is not None:
            self.reading.__exit__()
            self._views.give_back()
            self._images.remove()
        self.reading, self.state, self.message = None, State.CLOSED, ""
        self._on_change()

    def go_on(self) -> None:
        """Begin the session, end the pause, or leave a training trial behind."""
        if self.state is State.BREAK:
            self._try(lambda reading: reading.require_washout(), self._load)
        elif self.state is State.PAUSED:
            self._try(lambda reading: reading.pause(False), self._resume)
        elif self.state is State.FEEDBACK:
            self._next()

    def save(self, answer: dict[str, Any]) -> None:
        """Save the answer to the trial. The next one comes only when it is on the disk."""
        if self.state is State.LOOKING:
            seconds, view = self._watch.seconds, self._views.look.to_dict() | _screen(self._views)
            self._try(lambda reading: reading.answer(answer, seconds, view), self._saved)

    def undo(self) -> None:
        """Show the trial before once more, and forget its answer."""
        if self.may_undo:
            self._try(lambda reading: reading.undo(), self._load)

    def pause(self) -> None:
        """Show nothing and count no time until the reader goes on."""
        if self.state is State.LOOKING:
            self._watch.hold()
            self._views.blank(_("Paused. Space goes on."))
            self.state = State.PAUSED
            self._try(lambda reading: reading.pause(True), lambda nothing: self._on_change())

    def _try(self, act: Callable[[StudyReading], Any], then: Callable[[Any], None]) -> None:
        """Do something with the log, and go on where that went well."""
        if self.reading is None:
            return
        try:
            result = act(self.reading)
        except JobError as error:
            self._say(in_panel_words(error))
            return
        self.message = ""
        then(result)

    def _say(self, message: str) -> None:
        self.message = message
        self._on_change()

    def _saved(self, feedback: str | None) -> None:
        self._watch.hold()
        if feedback is None:
            self._next()
        else:
            self.state = State.FEEDBACK
            self._say(feedback)

    def _next(self) -> None:
        """After an answer, or at the beginning: the next trial, or a break before it, or the end."""
        self.message = ""
        reading = self.reading
        if reading is None:
            return
        if reading.trial is not None and not reading.opens_session:
            self._load()
            return
        self._views.blank()
        self.state = State.DONE if reading.trial is None else State.BREAK
        self._want_images()
        self._on_change()

    def _load(self, _result: object = None) -> None:
        """Show the trial as soon as its images are there."""
        self._watch.reset()
        self._views.blank()  # where a volume that is shown is deleted, Slicer shows another one
        self.state = State.LOADING
        self._want_images()
        self._show_if_there()

    def _want_images(self) -> None:
        """Have the images of this trial and, while the reader looks, those of the next one."""
        reading = self.reading
        if reading is None:
            return
        trials = [trial for trial in (reading.trial, reading.next_trial) if trial is not None]
        names = [name for trial in trials for name in trial.images]
        self._images.want([reading.study.image_path(name) for name in names], reading.study.window)

    def _show_if_there(self) -> None:
        reading, trial = self.reading, self.trial
        volumes = self._images.of(trial.images) if trial is not None else None
        if reading is None or trial is None or volumes is None:
            self._on_change()
            return
        protocol = reading.study.reading
        window = reading.study.window if protocol.window_locked else None
        self._views.show(volumes, _captions(trial), protocol.plane.capitalize(), window)
        self.state = State.LOOKING
        self._on_change()
        self._watch.run()

    def _resume(self, _nothing: object) -> None:
        self._views.show_again()
        self.state = State.LOOKING
        self._on_change()
        self._watch.run()

    def _image_loaded(self) -> None:
        if self.state is State.LOADING:
            self._show_if_there()

    def _image_failed(self, name: str, reason: Exception) -> None:
        trial = self.trial
        if self.state is State.LOADING and trial is not None and name in trial.images:
            self._say(
                _("The image {name} could not be loaded ({reason}); copy the study again from its lead.").format(
                    name=name, reason=reason
                )
            )


def _captions(trial: Trial) -> list[str]:
    """What is written over the images: where they are, and which one is the reference."""
    if len(trial.images) == 1:
        return [""]
    if trial.task.kind == "reference_rating":
        return [_("Reference"), _("Image")]
    return [_("Left image"), _("Right image")]  # "Left" alone is a side of the patient to a radiologist


def _screen(views: ReadingViews) -> dict[str, Any]:
    """What the log keeps of the screen."""
    window = slicer.util.mainWindow()
    return {
        "view_pixels": [list(view.node.GetDimensions()[:2]) for view in views.slice_views],
        "window_size": None if window is None else [window.width, window.height],
        "dots_per_inch": None if window is None else window.physicalDpiX(),
        "slicer": slicer.app.applicationVersion,
    }
