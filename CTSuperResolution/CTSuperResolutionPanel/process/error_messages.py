"""Error messages: the one sentence that the user gets when a job did not work, in the panel's words."""

from __future__ import annotations

import re
from typing import Any

from slicer.i18n import tr as _

from CTSuperResolutionLib import errors
from CTSuperResolutionLib.errors import JobError, Remedy, read_remedies, sentence
from CTSuperResolutionPanel.process.process import Ended
from CTSuperResolutionPanel.scene.result_volumes import WrongResult

NO_KERNELS = "no kernel image is available"
"""What CUDA says where torch was not built for the GPU that is there, which is newer, or much older, than it."""

KILLED = 9
"""SIGKILL: on POSIX, what the system sends where the memory ran out."""


def why_it_ended(ended: Ended, error: dict[str, Any] | None) -> str:
    """Why a process brought no result.

    Args:
        ended: how it ended.
        error: its error event, if it said one.
    """
    if ended.problem:
        return _("The background process could not be started ({reason}); install what it needs again.").format(
            reason=ended.problem.rstrip(".")
        )
    if lacks_kernels(error):
        return _(
            "torch was not built for this GPU; choose the device CPU, or press the button beside “Runs in” under "
            "Advanced to install another torch."
        )
    if error is not None and isinstance(error.get("problem"), str):
        return in_panel_words(JobError(error["problem"], *read_remedies(error.get("remedies", ()))))
    if error is not None and isinstance(error.get("message"), str):
        return tidy(error["message"])
    if not ended.normal and ended.code == KILLED:
        return _(
            "The system ended the background process, most likely because the memory ran out; choose a region, a "
            "lower preset or a lower scale."
        )
    if not ended.normal:
        return _("The background process crashed; the log has what it said last.")
    return _("The background process ended without a result (code {code}); the log has what it said last.").format(
        code=ended.code
    )


def lacks_kernels(error: dict[str, Any] | None) -> bool:
    """Whether that error is CUDA's that torch has nothing that this GPU can run."""
    return error is not None and NO_KERNELS in f"{error.get('problem')} {error.get('message')}"


def why_it_was_not_written(error: Exception, folder: str) -> str:
    """Why the scan could not be handed to the background process."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return _("The scan could not be written to {folder} ({reason}); free some space there.").format(
        folder=folder, reason=reason
    )


def why_it_was_not_loaded(error: Exception) -> str:
    """Why a result that is there did not come into the scene."""
    if isinstance(error, WrongResult):
        return str(error)
    if isinstance(error, MemoryError):
        return _("There is not enough memory to load the result; close other volumes or choose a region.")
    return _("The result could not be loaded ({reason}); report it with the log.").format(
        reason=f"{type(error).__name__}: {error}"
    )


def in_panel_words(error: JobError) -> str:
    """The library's error with the panel's own ways out of it."""
    return tidy(sentence(error, _words, choose=_("choose {choices}"), either=_(" or ")))


def tidy(text: str) -> str:
    """The library's words as the panel writes them: sizes with ×, and a capital letter first."""
    text = re.sub(r"(?<=\d) x (?=\d)", " × ", text)
    return text[:1].upper() + text[1:]


def _words(remedy: Remedy) -> str:
    match remedy:
        case errors.SmallerRegion(ranges=tuple() as ranges):
            sides = " × ".join(str(stop - start) for start, stop in reversed(ranges))
            return _("a region of at most {size} voxels").format(size=sides)
        case errors.SmallerRegion():
            return _("a region")
        case errors.LowerPreset(name=str() as name, memory=int() as memory):
            return _("preset {name} ({memory})").format(name=name, memory=errors.bytes_text(memory))
        case errors.LowerPreset():
            return _("a lower preset")
        case errors.LowerScale():
            return _("a lower scale")
        case errors.SmallerPrior():
            return _("a smaller prior")
        case errors.OtherDevice(name=name):
            return _("device {name}").format(name=name)
        case errors.MoreMemory():
            return _("use a computer with more memory")
        case errors.AcceptUnusual():
            return _("tick “Use it all the same”")
        case errors.Untilt():
            return _("press Straighten in CT Super-Resolution")
        case errors.ReportBug():
            return _("report it with the log")
    return str(remedy)
