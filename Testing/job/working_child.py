"""A process that works as ``ctsr`` does, in the way that its first argument says, into the folder of its second.

Run by the tests of cancelling, as a real child process.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time

from CTSuperResolutionLib.errors import Cancelled
from CTSuperResolutionLib.job import process
from CTSuperResolutionLib.job.cancellation import STDIN, Cancellation
from CTSuperResolutionLib.job.events import JsonLines, Reporter, describe_error
from CTSuperResolutionLib.output.folder import OutputFolder


def work(manner: str, progress: Reporter, folder: OutputFolder) -> None:
    """Go on for a minute, or end in some bad way."""
    folder.file("half.nrrd").write_bytes(bytes(1000))
    progress.stage("work", 6000)
    if manner == "import":
        import torch  # noqa: F401

        progress.note("imported")
    if manner == "deaf":
        time.sleep(60)  # as one long call into a library
    if manner == "crash":
        ctypes.string_at(0)
    if manner == "abort":
        os.abort()
    if manner == "fail":
        raise ValueError("something odd")
    if manner == "flood":
        while True:
            progress.note("x" * 10_000)
    for _ in range(6000):
        time.sleep(0.01)
        progress.advance()


def work_in_part(manner: str, progress: Reporter, folder: OutputFolder) -> None:
    """A piece of work of several, which a line on stdin stops, and not the whole."""
    whole = progress.cancellation
    with whole.part() as part:
        part.on_kill(lambda: progress.error(Cancelled(part.message)))
        patient = manner == "patient part"

        def listen() -> None:
            sys.stdin.readline()
            part.request("the part", patient=patient)

        threading.Thread(target=listen, daemon=True).start()
        folder.file("half.nrrd").write_bytes(bytes(1000))
        while patient and not part.requested:
            time.sleep(0.01)
        time.sleep(2.5 if patient else 60)
    progress.note("ended by itself")


def main() -> int:
    manner, path = sys.argv[1:]
    cancellation = Cancellation()
    output = os.dup(1)
    in_part = "part" in manner
    with cancellation.watching(stdin=process.is_pipe(STDIN) and not in_part, parent=True, output=output):
        write = JsonLines(output, on_broken=lambda: cancellation.request("nobody reads the events any more"))
        progress = Reporter(write, cancellation=cancellation)
        cancellation.on_kill(lambda: progress.error(Cancelled(cancellation.message)))
        folder = OutputFolder(path)
        cancellation.on_kill(folder.discard)
        try:
            with folder:
                if manner == "over":
                    folder.publish()
                    cancellation.close()
                    cancellation.finish(0)
                    manner = "flood"  # its last words
                (work_in_part if in_part else work)(manner, progress, folder)
        except Exception as error:
            progress.error(error)
            return describe_error(error)["exit_code"]
    return 0


if __name__ == "__main__":
    code = main()
    if code == Cancelled.exit_code:
        os._exit(code)
    sys.exit(code)
