"""Errors of pip as one sentence for the user, from what it wrote."""

from __future__ import annotations

import re
from collections.abc import Sequence

from slicer.i18n import tr as _

NO_NETWORK = re.compile(
    r"NewConnectionError|ConnectTimeout|ReadTimeout|Max retries exceeded|ProxyError|SSLError|ConnectionResetError"
    r"|Name or service not known|getaddrinfo failed|Temporary failure in name resolution|nodename nor servname"
)
IN_USE = re.compile(r"PermissionError|WinError 5\b|WinError 32\b|Access is denied|Permission denied")
FULL = re.compile(r"No space left on device|Errno 28|WinError 112|disk is full", re.IGNORECASE)
CONFLICT = re.compile(r"ResolutionImpossible|conflicting dependencies")
NO_WHEEL = re.compile(r"No matching distribution found for ([^\s;(]+)")


def explain_failure(log: Sequence[str], code: int, *, offline: bool, python: str) -> str:
    """Say in one sentence why an installation failed and what to do.

    Args:
        log: the lines that pip wrote.
        code: its exit code.
        offline: it had a folder of wheels only.
        python: version and platform, which wheels have to fit.
    """
    text = "\n".join(log)
    if FULL.search(text):
        return _("The disk is full; make room and try again.")
    if IN_USE.search(text):
        return _("Files are in use or protected; restart Slicer and repair the installation before anything else.")
    if NO_NETWORK.search(text) and not offline:
        return _("The package server could not be reached; check the network, or install from a folder of wheels.")
    if CONFLICT.search(text):
        return _(
            "What jobs need cannot stand beside packages that are in Slicer's Python; choose another Python, or see in "
            "the log which is in the way."
        )
    if missing := NO_WHEEL.search(text):
        if offline:
            return _("The folder has no wheel of {package} for {python}; add it.").format(
                package=missing[1], python=python
            )
        return _("There is no package {package} for {python}; choose another Python.").format(
            package=missing[1], python=python
        )
    errors = [line for line in log if line.startswith("ERROR: ")]
    said = errors[-1].removeprefix("ERROR: ").rstrip(".") if errors else _("code {code}").format(code=code)
    return _("The installation failed ({reason}); the log has more.").format(reason=said)
