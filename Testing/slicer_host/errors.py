"""The error for what Slicer has and the test host does not."""

from __future__ import annotations


class NotBuiltInHost(NotImplementedError):
    """Slicer has this and the test host does not: the code may be right, the host has to learn it."""

    def __init__(self, what: str):
        super().__init__(f"{what} exists in Slicer but is not built into the test host; add it to Testing/slicer_host.")
