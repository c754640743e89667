"""Child process of a task: its time and peak memory are its own, and it can be stopped at once.

The child gets the task as its argument and the case as its standard input, and gives the outcome on its standard
output. Both ends are files that the operating system removes with the last process that has them open: no volume stays
behind, however the work ends.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from CTSuperResolutionLib import machine
from CTSuperResolutionLib.errors import Cancelled, JobError, LowerPreset, OtherOption, bytes_text, read_remedies
from CTSuperResolutionLib.evaluation.cases import load_volume
from CTSuperResolutionLib.evaluation.methods import METHODS
from CTSuperResolutionLib.evaluation.task import EvaluationOutcome, EvaluationTask
from CTSuperResolutionLib.job.cancellation import Cancellation
from CTSuperResolutionLib.job.events import Progress, Reporter, describe_error
from CTSuperResolutionLib.job.process import child_environment
from CTSuperResolutionLib.job.region import region_slices

if TYPE_CHECKING:
    from CTSuperResolutionLib.volume.volume import Volume

LESS_MEMORY = OtherOption("crop", "a smaller {}"), LowerPreset()


def run_task(task: EvaluationTask, case: IO[bytes], check: Callable[[], None]) -> EvaluationOutcome:
    """Do a task in a child process.

    Args:
        task: what to do.
        case: the file of the saved case, open and at its start.
        check: called ten times a second; what it raises ends the child.

    Raises:
        JobError: it cannot be done; says which task and why.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as log:
        code = _wait(task.to_json(), {"stdin": case, "stdout": output, "stderr": log}, check)
        output.seek(0)
        try:
            with np.load(output) as found:
                report = json.loads(str(found["report"]))
                arrays = {name: found[name] for name in ("plane", "volume") if name in found}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            raise JobError(
                f"{task.name} on {task.case} ended without a result (exit code {code}), most often for want of memory",
                *LESS_MEMORY,
            ) from None
        if "error" in report:
            log.seek(0)
            raise _error(task, report["error"], log.read().decode("utf-8", "replace"))
        return EvaluationOutcome(report, arrays["plane"], arrays.get("volume"))


def _wait(argument: str, streams: dict[str, Any], check: Callable[[], None]) -> int:
    """Run this module until it ends; its exit code."""
    # Out of reach of the terminal's Ctrl-C, which this process answers for both.
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    child = subprocess.Popen(
        [sys.executable, "-m", __name__, argument, str(os.getpid())], env=child_environment(), **streams, **apart
    )
    try:
        while True:
            check()
            try:
                return child.wait(timeout=0.1)
            except subprocess.TimeoutExpired:
                continue
    finally:
        child.kill()  # it has nothing to tidy
        child.wait()


def _error(task: EvaluationTask, error: dict[str, Any], log: str) -> Exception:
    name = f"{task.name} on {task.case}"
    if error["kind"] == "memory":
        return JobError(f"The memory ran out for {name}", *LESS_MEMORY)
    if error["exit_code"] == JobError.exit_code:
        return JobError(f"{name}: {error['problem']}", *read_remedies(error["remedies"]))
    # Of the rest this process makes its own sentence, from the first line.
    if error["kind"] == "cancelled":
        return Cancelled(f"{name}: {error['message']}")
    if error["kind"] == "install":
        return ImportError(f"{name}: {error['raw']}\n{log}")
    return RuntimeError(f"{name}: {error['type']}: {error['raw']}\n{log}")


def _main(task: EvaluationTask, parent: int) -> None:
    """In the child of the process with that number."""
    with os.fdopen(os.dup(1), "wb") as output:
        os.dup2(2, 1)  # what libraries print goes to the log
        cancellation = Cancellation()
        with cancellation.watching(stdin=False, parent=True):
            if os.name != "nt" and os.getppid() != parent:
                cancellation.request("the program that started it has ended")  # before anybody watched it
            progress = Reporter(lambda event: None, cancellation=cancellation)
            try:
                report, arrays = _do(task, progress)
            except Exception as error:
                import traceback

                traceback.print_exc()
                report, arrays = {"error": _described(error)}, {}
            np.savez(output, report=np.array(json.dumps(report)), **arrays)


def _described(error: Exception) -> dict[str, Any]:
    return {**describe_error(error), "type": type(error).__name__, "raw": str(error) or "no message"}


def _do(task: EvaluationTask, progress: Progress) -> tuple[dict[str, Any], dict[str, Any]]:
    from CTSuperResolutionLib.evaluation.scores import score
    from CTSuperResolutionLib.evaluation.view import figure_plane

    scan = load_volume(sys.stdin.buffer, "scan")
    run = _method(task, scan, progress)
    started = time.perf_counter()
    result = run()
    seconds = time.perf_counter() - started
    memory = machine.memory()  # before the reference is loaded and compared with
    reference = load_volume(sys.stdin.buffer, "reference")
    report = {
        "scores": score(result, reference, scan, task.blur),
        "seconds": round(seconds, 2),
        "peak_mb": memory["peak_mb"],
        "gpu_peak_mb": memory.get("gpu_peak_mb"),
    }
    plane = np.rint(figure_plane(result, reference)).clip(-32768, 32767).astype(np.int16)
    return report, {"plane": plane, **({"volume": result.array} if task.keep_volume else {})}


def _method(task: EvaluationTask, scan: Volume, progress: Progress) -> Callable[[], Volume]:
    """The function that makes the fine volume, its modules loaded."""
    if METHODS[task.name].settings is None:
        from CTSuperResolutionLib.evaluation.baselines import baseline

        return lambda: baseline(task.name, scan, task.method)
    from CTSuperResolutionLib.pipeline import super_resolve
    from CTSuperResolutionLib.planning.requirements import requirements_here

    region = region_slices(None, scan.shape)
    needed = requirements_here(task.method, region, scan.spacing, scan.shape, most_slabs=1)
    if not needed.fits:
        raise JobError(
            f"it needs about {bytes_text(needed.memory)} of memory and {bytes_text(needed.available)} are free",
            *LESS_MEMORY,
        )
    return lambda: super_resolve(scan, task.method, progress=progress).sr


if __name__ == "__main__":
    _main(EvaluationTask.from_json(sys.argv[1]), int(sys.argv[2]))
