"""Sentences that tell a reader what is asked and how far the study is."""

from __future__ import annotations

from slicer.i18n import tr as _

from CTReaderStudyPanel.reading.sitting import State
from CTSuperResolutionLib.study.reading import StudyReading
from CTSuperResolutionLib.study.study_files import Trial

ENOUGH_ANSWERS = 3
"""From so many on, their mean time tells how long the rest takes."""


def progress_text(reading: StudyReading) -> str:
    """Cases and minutes: where in the session the reader is, and about how long it goes on."""
    session = reading.session
    if reading.trial is None:
        return _("All {total} cases are read.").format(total=reading.total)
    text = _("Session {session} of {sessions} · case {case} of {cases}").format(
        session=session.number, sessions=session.sessions, case=session.answered + 1, cases=session.total
    )
    seconds = reading.seconds_of_answers
    if len(seconds) < ENOUGH_ANSWERS:
        return text
    minutes = sum(seconds) / len(seconds) * (session.total - session.answered) / 60
    if minutes < 1:
        return text + " · " + _("less than a minute left in it")
    return text + " · " + _("about {minutes:.0f} min left in it").format(minutes=minutes)


def task_text(trial: Trial | None) -> str:
    """What is asked of the images that are shown."""
    if trial is None:
        return ""
    text = {
        "grading": _("Grade this image"),
        "forced_choice": _("Choose the better image"),
        "reference_rating": _("Grade the right image against the reference on the left"),
        "marking": _("Mark places in this image"),
    }[trial.task.kind]
    return text if trial.feedback is None else _("Practice: {task}").format(task=text)


def where_text(state: State, reading: StudyReading) -> str:
    """What there is to know between two trials; "" during one."""
    if state is State.DONE:
        return _("Thank you: you have read all cases. Give the folder {folder} back to the study's lead.").format(
            folder=reading.folder
        )
    if state is State.BREAK:
        session = reading.session
        text = _("Session {number} of {sessions} has {total} cases. Space begins it.").format(
            number=session.number, sessions=session.sessions, total=session.total
        )
        before = _("The session before is done; rest as long as you like, or leave and come back.")
        return f"{before} {text}" if session.number > 1 else text
    return {
        State.LOADING: _("The images are being loaded."),
        State.PAUSED: _("Paused: no time is counted. Space goes on."),
    }.get(state, "")
