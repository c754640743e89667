"""Ray cluster: calls of functions that its computers do, several at once."""

from __future__ import annotations

import collections
import signal
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from CTSuperResolutionLib.errors import Advice, JobError, OtherOption

Waiting = collections.deque[tuple["Call", Any]]


@dataclass(frozen=True)
class Call:
    """One call of a function on some computer of the cluster.

    Attributes:
        name: what it does, as a sentence on its loss begins.
        function: of the library, which the cluster's computers have; called with ``task``, and the content of ``file``
            where there is one.
        task: what it is to do.
        uses_gpu: whether it may use a GPU; it then gets one for itself where the cluster has any.
        file: what goes with it through Ray's object store, once for calls in a row that have the same.
    """

    name: str
    function: Callable[..., Any]
    task: Any
    uses_gpu: bool
    file: Path | None = None


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
    calls: Iterable[Call], address: str | None, check: Callable[[], None]
) -> Generator[Any | JobError, None, None]:
    """Do calls on the cluster at an address, or on one that Ray starts here.

    Args:
        calls: what to do.
        address: of the cluster.
        check: called often; what it raises ends the work.

    Yields:
        What the calls return, in their order; a JobError for one that was lost with the process that did it.

    Raises:
        JobError: the cluster cannot be used.
        Exception: what a function raised.
    """
    ray = _connect(address)
    waiting: Waiting = collections.deque()
    try:
        total = ray.cluster_resources()
        gpus = int(total.get("GPU", 0) >= 1)
        ahead = 2 * max(int(total.get("CPU", 1)), 1)
        stored: tuple[Path | None, Any] = (None, None)
        for call in calls:
            if call.file is not None and stored[0] != call.file:
                stored = (call.file, ray.put(call.file.read_bytes()))
            remote = ray.remote(max_retries=0)(call.function).options(num_gpus=gpus * call.uses_gpu)
            waiting.append((call, remote.remote(call.task, *([] if call.file is None else [stored[1]]))))
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


def _take(ray: Any, waiting: Waiting, check: Callable[[], None]) -> Any | JobError:
    call, reference = waiting[0]
    while not ray.wait([reference], timeout=0.1)[0]:
        check()
    waiting.popleft()
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError as error:
        return JobError(f"{call.name} was lost by Ray ({type(error).__name__}); run the same command again.")
