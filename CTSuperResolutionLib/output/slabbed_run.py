"""Slabbed run: a scan worked on slab by slab within a budget of memory, and what its files hold put together."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from CTSuperResolutionLib import __version__, machine
from CTSuperResolutionLib.diffusion.prior import Prior
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.job.region import Slices
from CTSuperResolutionLib.job.target_grid import TargetGrid
from CTSuperResolutionLib.output.slab_store import SlabStore, StoredArray, has_stores, keep_plan, open_store_folder
from CTSuperResolutionLib.output.written_part import WrittenPart
from CTSuperResolutionLib.output.written_result import written_result
from CTSuperResolutionLib.pipeline import Result, super_resolve
from CTSuperResolutionLib.planning.cost_model import stage_seconds
from CTSuperResolutionLib.planning.margin import within
from CTSuperResolutionLib.planning.slabs import Slab, SlabPlan, dependence_note
from CTSuperResolutionLib.stages.adapt_prior import prior_for
from CTSuperResolutionLib.stages.banded_residual import merged_reports
from CTSuperResolutionLib.stages.scan_findings import ScanFindings
from CTSuperResolutionLib.volume.volume import Volume

BLOCK = 1 << 22  # bytes of a file that are hashed at once


@dataclass(frozen=True, eq=False)
class SlabbedRun:
    """A method on a scan, cut into slabs.

    Attributes:
        scan: HU, all that is worked on, with the margin of a region. method: how.
        region: what is kept of it, slices along (z, y, x), in voxels of ``scan``.
        target: the grid of the result over all of ``scan``.
        findings: on the scan.
    """

    scan: Volume
    method: Method
    region: Slices
    target: TargetGrid
    findings: ScanFindings

    def whole(self, plan: SlabPlan, progress: Progress) -> Result:
        """The result of a plan of a single slab."""
        (slab,) = plan.slabs
        progress.plan(self._seconds(plan.shapes(self.scan.shape)))
        planned = _Planned(progress)
        part = self._part(slab, plan.axis, self._prior(planned), planned)
        summary = {"clipped": part.clipped, "report": part.report}

        def array(name: str) -> np.ndarray | StoredArray | None:
            """Asked for once; whole HU stay what they are, half as large as floats."""
            found = part.arrays.pop(name, None)
            return StoredArray([found], plan.axis) if found is not None and found.dtype == np.int16 else found

        return self._written(array, [summary], progress)

    def stored(self, plan: SlabPlan, store: SlabStore, progress: Progress) -> Result:
        """The result of a plan of several slabs; those that the store has already are not done again."""
        left = [index for index in range(len(plan.slabs)) if not store.has(index)]
        if len(left) < len(plan.slabs):
            progress.note(
                f"An unfinished run of the same job left {len(plan.slabs) - len(left)} of {len(plan.slabs)} slabs; "
                "this one goes on with the others."
            )
        if note := dependence_note(self.method.parameters, len(plan.slabs)):
            progress.note(note)
        shapes = plan.shapes(self.scan.shape)
        seconds = self._seconds([shapes[index] for index in left])
        once = {stage: seconds.pop(stage) / len(left) for stage in ("adapt",) if stage in seconds}  # for all slabs
        progress.plan(once)
        progress.plan(seconds, rounds=len(left))
        quiet = _Planned(progress)
        prior = self._prior(quiet) if left else None  # once, so that all slabs have the same
        for index in left:
            store.add(index, self._part(plan.slabs[index], plan.axis, prior, quiet))
        return self._written(store.array, store.summaries(), progress)

    def digest(self) -> str:
        """SHA-256 of all that decides about the result but its slabs: scan, region, method, prior, version."""
        described = {
            "version": __version__,
            "grid": [self.scan.shape, self.scan.spacing, self.scan.origin, self.scan.direction],
            "region": [(part.start, part.stop) for part in self.region],
            "target": [asdict(axis) for axis in self.target.axes],
            "parameters": asdict(self.method.parameters),
            "seed": self.method.seed,
            "device": self.method.device,
        }
        digest = hashlib.sha256(json.dumps(described, default=str).encode())
        for array in (self.scan.array, self.scan.valid):
            if array is not None:
                digest.update(np.ascontiguousarray(array).view(np.uint8).data)
        if self.method.parameters.uses_prior:
            _hash_files(digest, self.method.prior_place)
        return digest.hexdigest()

    def _seconds(self, shapes: Sequence[Sequence[int]]) -> dict[str, float]:
        """About how long the stages of slabs of those shapes take together, on a plain computer."""
        spacing, shown = [axis.spacing for axis in self.target.axes], self.findings.shown_share(self.target)
        total: dict[str, float] = {}
        for shape in shapes:
            found = stage_seconds(self.method.parameters, shape, self.target.factors, spacing, shown)
            total = {stage: total.get(stage, 0.0) + seconds for stage, seconds in found.items()}
        return total

    def _prior(self, progress: Progress) -> Prior | None:
        device = machine.choose_device(self.method.device)
        return prior_for(self.scan, self.target, self.method, device, self.findings, progress)

    def _part(self, slab: Slab, axis: int, prior: Prior | None, progress: Progress) -> WrittenPart:
        """A slab, as the files hold it."""
        worked = slab.region(self.scan.shape, axis)
        scan, target = self.scan.crop(worked), self.target.part(worked)
        bands, kept = slab.bands(self.target), within(_kept(slab, self.region, axis), worked)
        return WrittenPart.of(
            scan,
            super_resolve(  # not held here, so that its volumes can go one by one
                scan,
                self.method,
                target=target,
                findings=self.findings,
                prior=prior,
                bands=bands,
                progress=progress,
            ),
            target,
            kept,
        )

    def _written(
        self,
        arrays: Callable[[str], np.ndarray | StoredArray | None],
        summaries: Sequence[Mapping[str, Any]],
        progress: Progress,
    ) -> Result:
        report = merged_reports([summary["report"] for summary in summaries])
        report["clipped"] = sum(summary["clipped"] for summary in summaries)
        progress.stage("write")
        return written_result(self.scan, self.region, self.target, self.findings.acquisition, arrays, report, progress)


def open_store(
    run: SlabbedRun, plan: SlabPlan, budget: int, output: Path, *, fresh: bool
) -> tuple[SlabPlan, SlabStore | None]:
    """The store of a run's slabs in its output folder, and its plan; no store where all is done at once.

    The plan is that of an unfinished run of the same job, if it keeps within the budget.
    """
    at_once = len(plan.slabs) == 1
    if at_once and not has_stores(output):
        return plan, None
    folder, left = open_store_folder(output, run.digest(), fresh=fresh)
    before = None if left is None else SlabPlan.from_dict(left)
    if before is not None and before.memory <= budget:
        return before, SlabStore(folder, before.axis, len(before.slabs))
    if at_once:
        shutil.rmtree(folder, ignore_errors=True)
        return plan, None
    if before is not None:
        folder, _ = open_store_folder(output, run.digest(), fresh=True)
    keep_plan(folder, plan.to_dict())
    return plan, SlabStore(folder, plan.axis, len(plan.slabs))


def kept_slabs(plan: SlabPlan, region: Slices) -> SlabPlan:
    """The plan without slabs that give nothing of a region."""
    part = region[plan.axis]
    kept = [slab for slab in plan.slabs if slab.core.start < part.stop and part.start < slab.core.stop]
    return SlabPlan(plan.axis, tuple(kept), plan.memory)


class _Planned(Progress):
    """Progress of slabs, whose stages are planned together before; says every note once."""

    def __init__(self, whole: Progress) -> None:
        self._whole = whole
        self._said: set[str] = set()

    def stage(self, name: str, steps: int = 1) -> None:
        self._whole.stage(name, steps)

    def advance(self, steps: Any = 1) -> None:
        self._whole.advance(steps)

    def check(self) -> None:
        self._whole.check()

    def note(self, message: str) -> None:
        if message not in self._said:
            self._said.add(message)
            self._whole.note(message)


def _kept(slab: Slab, region: Slices, axis: int) -> Slices:
    """What a region has of a slab's core."""
    core, part = slab.core, region[axis]
    along = slice(max(core.start, part.start), min(core.stop, part.stop))
    z, y, x = (along if k == axis else other for k, other in enumerate(region))
    return z, y, x


def _hash_files(digest: Any, place: Path) -> None:
    """Add a file, or those of a folder, to a digest."""
    for file in [place] if place.is_file() else sorted(place.iterdir()):
        if file.is_file():
            with file.open("rb") as stream:
                while block := stream.read(BLOCK):
                    digest.update(block)
