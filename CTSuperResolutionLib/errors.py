"""What can end a job early, with the exit code each one has."""

from __future__ import annotations


class JobError(Exception):
    """The job cannot be done as asked. The message is one sentence for the user: what is wrong and what to do."""

    exit_code = 2


class Cancelled(Exception):
    """The user, a signal or the parent's death stopped the work."""

    exit_code = 3
