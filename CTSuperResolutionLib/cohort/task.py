"""Tasks of a cohort: the job of one scan, what its outcome depends on, and the outcome."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from CTSuperResolutionLib import __version__
from CTSuperResolutionLib.job.job import Job

DONE, FAILED = "done", "failed"


@dataclass(frozen=True)
class CohortTask:
    """The job of one scan.

    Attributes:
        name: of the scan in its cohort.
        job: what to do. error: why there is no job; one of the two is None.
        key: of everything that the outcome depends on.
        size: voxels of the result, as far as the header tells: larger ones are begun earlier.
    """

    name: str
    job: Job | None
    error: str | None
    key: str
    size: float

    @property
    def uses_gpu(self) -> bool:
        """Whether it may use a GPU."""
        return self.job is not None and self.job.method.device != "cpu"


@dataclass(frozen=True)
class CohortOutcome:
    """What became of a scan.

    Attributes:
        key: of the task.
        status: "done" or "failed".
        kind, error: of the failure, as in an error event; None where it is done.
        facts: of what was done: scale, shape, spacing_mm (z, y, x), device, seconds, peak_mb, and rms_hu of the
            result's and the cubic upsampling's agreement with the scan; empty where it failed.
    """

    key: str
    status: str
    kind: str | None
    error: str | None
    facts: Mapping[str, Any]

    @classmethod
    def of_event(cls, key: str, event: Mapping[str, Any]) -> CohortOutcome:
        """The outcome that the last event of a job tells."""
        if event["event"] == "error":
            return cls.failed(key, event["kind"], event["message"])
        report = event["report"]
        agreement = report.get("consistency", {})
        return cls(key, DONE, None, None, {
            "scale": report.get("scale"),
            "shape": event.get("shape"),
            "spacing_mm": event.get("spacing_mm"),
            "device": report.get("device"),
            "seconds": report.get("seconds"),
            "peak_mb": report.get("peak_mb"),
            **{f"{name}_rms_hu": (agreement.get(name) or {}).get("rms_hu") for name in ("sr", "cubic")},
        })  # fmt: skip

    @classmethod
    def failed(cls, key: str, kind: str, error: str) -> CohortOutcome:
        """The outcome of what did not work."""
        return cls(key, FAILED, kind, error, {})


def task_key(job: Job, prior_sha256: str | None) -> str:
    """SHA-256 of everything that the outcome of a job depends on: what it is, its files, its prior and this version."""
    # How much memory it may take is not among that.
    same = {"output": None, "memory": None, "fresh": False}
    values = job.to_dict() | same | {"prior": prior_sha256, "library": __version__, "files": _stamp(job.input)}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _stamp(scan: str) -> list[tuple[str, int, int]]:
    """What changes with the files of a scan."""
    place = Path(scan)
    files = sorted(place.rglob("*")) if place.is_dir() else [place]
    found = []
    for file in files:
        try:
            stat = os.stat(file)
        except OSError:
            continue
        found.append((file.name, stat.st_size, stat.st_mtime_ns))
    return found
