"""Engines that do the tasks: this computer, one after another, or Ray."""

from __future__ import annotations

import collections
import signal
import tempfile
from collections.abc import Callable, Generator, Iterable, Mapping
from pathlib import Path
from typing import Any

from CTSuperResolutionLib.errors import Advice, JobError, OtherOption
from CTSuperResolutionLib.evaluation.child import run_task
from CTSuperResolutionLib.evaluation.methods import METHODS
from CTSuperResolutionLib.evaluation.task import EvaluationOutcome, EvaluationTask

ENGINES = ("local", "ray")
Waiting = collections.deque[tuple[EvaluationTask, Any]]
Outcomes = Generator[EvaluationOutcome, None, None]


def run_local(tasks: Iterable[EvaluationTask], cases: Mapping[str, Path], check: Callable[[], None]) -> Outcomes:
    """Do tasks one after another.

    Args:
        tasks: what to do.
        cases: the saved case for every name of one.
        check: called often; what it raises ends the work.

    Yields:
        The tasks' outcomes, in their order.

    Raises:
        JobError: one cannot be done.
    """
    for task in tasks:
        with cases[task.case].open("rb") as case:
            yield run_task(task, case, check)


def find_ray() -> Any:
    """The module.

    Raises:
        JobError: it is not installed.
    """
    try:
        import ray
    except ImportError:
        install = Advice('install it with pip install "ctsuperresolution[ray]"')
        raise JobError("Ray is not installed", install, OtherOption("engine", "{} local")) from None
    return ray


def run_on_ray(
    tasks: Iterable[EvaluationTask], cases: Mapping[str, Path], address: str | None, check: Callable[[], None]
) -> Outcomes:
    """As :func:`run_local`, on the cluster at an address, or on one that Ray starts here.

    The cluster's computers need this library, and priors at the same paths. Volumes go through Ray's object store.
    Where the cluster has GPUs, every task that can use one gets one for itself. Times are those of a computer that does
    several tasks at once.
    """
    ray = _connect(address)
    waiting: Waiting = collections.deque()
    try:
        total = ray.cluster_resources()
        gpus = int(total.get("GPU", 0) >= 1)
        remote = ray.remote(max_retries=0)(_run_remotely)
        ahead = 2 * max(int(total.get("CPU", 1)), 1)
        stored: tuple[str, Any] = ("", None)
        for task in tasks:
            if stored[0] != task.case:
                stored = (task.case, ray.put(cases[task.case].read_bytes()))
            uses_gpu = METHODS[task.name].settings is not None and task.method.device != "cpu"
            waiting.append((task, remote.options(num_gpus=gpus * uses_gpu).remote(task, stored[1])))
            if len(waiting) == ahead:
                yield _take(ray, waiting, check)
        while waiting:
            yield _take(ray, waiting, check)
    finally:
        for _, reference in waiting:
            ray.cancel(reference)
        ray.shutdown()


def _connect(address: str | None) -> Any:
    ray = find_ray()
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=address, include_dashboard=None if address else False, log_to_driver=False)
    except (ConnectionError, ValueError, RuntimeError, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise JobError(
            f"Ray cannot be reached or started ({reason})", OtherOption("ray-address", "another {}")
        ) from None
    finally:
        signal.signal(signal.SIGTERM, before)  # Ray's own would end this process without tidying
    return ray


def _take(ray: Any, waiting: Waiting, check: Callable[[], None]) -> EvaluationOutcome:
    task, reference = waiting[0]
    while not ray.wait([reference], timeout=0.1)[0]:
        check()
    try:
        outcome = ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError as error:
        raise JobError(
            f"{task.name} on {task.case} was lost by Ray ({type(error).__name__}); run the same command again."
        ) from None
    waiting.popleft()
    return outcome


def _run_remotely(task: EvaluationTask, volumes: bytes) -> EvaluationOutcome:
    """On a computer of the cluster."""
    with tempfile.TemporaryFile() as case:
        case.write(volumes)
        case.seek(0)
        return run_task(task, case, lambda: None)
