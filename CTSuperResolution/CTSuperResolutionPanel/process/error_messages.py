"""Error messages: the one sentence that the user gets when a job did not work, in the panel's words."""

from __future__ import annotations

import re
from typing import Any

from slicer.i18n import tr as _

from CTSuperResolutionPanel.process.process import Ended
from CTSuperResolutionPanel.scene.result_volumes import WrongResult

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
    if error is not None and error.get("kind") == "memory":
        return _("The memory ran out; choose a region, a lower preset or a lower scale.")
    if error is not None and isinstance(error.get("message"), str):
        return in_panel_words(error["message"])
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


def in_panel_words(message: str) -> str:
    """The library's sentence without the options of the command line."""

    def region(found: re.Match) -> str:
        sides = [str(int(b) - int(a)) for a, b in (part.split(":") for part in found[1].split(","))]
        return _("a region of at most {size} voxels").format(size=" × ".join(reversed(sides)))

    message = re.sub(r"a region such as --roi ((?:\d+:\d+,?){3})", region, message)
    message = re.sub(r"a region of interest with --roi", _("a region"), message)
    message = re.sub(r"pass --allow-unusual( to [^;.]*)?", _("tick “Use it all the same”"), message)
    message = re.sub(r"run it again with --debug and report what that prints", _("report it with the log"), message)
    message = re.sub(r"--(preset|device|scale|prior|seed) ", r"\1 ", message)
    message = re.sub(r"(?<=\d) x (?=\d)", " × ", message.replace(", as in scale 4", ""))
    return message[:1].upper() + message[1:]
