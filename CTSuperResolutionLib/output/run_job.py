"""Run of a job, the same for every command that super-resolves: read, check, work, write, publish."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from CTSuperResolutionLib.job.events import Reporter
from CTSuperResolutionLib.job.job import Job
from CTSuperResolutionLib.output.apart import require_apart
from CTSuperResolutionLib.output.folder import OutputFolder
from CTSuperResolutionLib.output.report import RESULTS, write_results, writing_steps

if TYPE_CHECKING:
    from CTSuperResolutionLib.pipeline import Result
    from CTSuperResolutionLib.volume.scan_source import ScanSource


def find_scan(job: Job) -> Callable[[object], ScanSource]:
    """What finds the scan of a job where the job says that it is, for :func:`run_job`."""

    def find(_: object) -> ScanSource:
        from CTSuperResolutionLib.volume.reading import open_scan

        return open_scan(Path(job.input), series=job.series, allow_unusual=job.allow_unusual, untilt=job.untilt)

    return find


def run_job(
    job: Job,
    progress: Reporter,
    find: Callable[[OutputFolder], ScanSource],
    score: Callable[[Result], dict[str, Any]] = lambda result: {},
    *,
    picture: bool = True,
) -> dict[str, Any]:
    """Do a job from its scan to the files in its output folder.

    Args:
        job: the job.
        progress: told of every stage.
        find: says where the scan is, by its header; may write files of its own to go with the results.
        score: looks at the result and returns what to add to the report.
        picture: whether compare.png is wanted.

    Returns:
        The fields of the final event: ``files`` by name, ``shape`` and ``spacing_mm`` (z, y, x), and ``report``.

    Raises:
        JobError, Cancelled: and then nothing is left behind.
    """
    require_apart(job.input, job.output, progress.note)
    folder = OutputFolder(job.output, alone=True)
    progress.cancellation.on_kill(folder.discard)
    with folder:
        folder.require_replaceable(RESULTS, job.input)
        progress.stage("load", 3)
        source = find(folder)
        progress.advance()
        region = job.region(source.shape)  # before what takes seconds to load
        # Imported here and not above: the command line must watch for cancelling before torch is loaded.
        from CTSuperResolutionLib.degradation.acquisition import acquisition_of, slice_thickness_of
        from CTSuperResolutionLib.degradation.representative import representative_part
        from CTSuperResolutionLib.output.error_interval import interval_report, tested
        from CTSuperResolutionLib.output.slabbed_run import SlabbedRun, kept_slabs, open_store
        from CTSuperResolutionLib.output.unfamiliar_scan import unfamiliar_percent
        from CTSuperResolutionLib.planning.margin import margins, with_margin, within
        from CTSuperResolutionLib.planning.requirements import requirements_here
        from CTSuperResolutionLib.planning.slabs import plan_slabs
        from CTSuperResolutionLib.stages.scan_findings import ScanFindings
        from CTSuperResolutionLib.trust.error_map import error_volume

        needed = requirements_here(job.method, region, source.spacing, source.shape, memory=job.memory_bytes)
        needed.require_memory(job.method)
        folder.require_space(needed.disk)
        whole = job.method.target_grid(source.shape, source.spacing)
        worked = with_margin(region, whole)
        target = whole.part(worked)
        notes: list[str] = []
        scan = source.read(worked, notes.append, progress.check)
        progress.advance()

        p, thickness = job.method.parameters, source.acquisition.slice_thickness
        looked_at = representative_part(source, scan, worked, progress.check)
        acquisition = acquisition_of(looked_at, p, needed.factors, thickness, progress.check)
        slices = slice_thickness_of(acquisition, source.spacing, thickness)
        if slices.contradiction:
            notes.append(slices.contradiction)
        unfamiliar = unfamiliar_percent(looked_at, job.method, notes)
        for note in notes:
            progress.note(note)
        findings = ScanFindings.of(scan, target, p, acquisition, noise_in=looked_at, check=progress.check)
        del looked_at  # perhaps more than what is worked on
        progress.advance()
        # What goes into the files is judged, then they are written.
        progress.plan({"write": needed.write_seconds}, rounds=2)
        test = tested(scan, target, findings, job.method, progress, notes)
        inner = within(region, worked)
        run = SlabbedRun(scan, job.method, inner, target, findings)
        plan = plan_slabs(p, target, needed.budget, reach=findings.reach)
        assert plan is not None  # see require_memory
        plan = kept_slabs(plan, inner)
        plan, store = open_store(run, plan, needed.budget, folder.path, fresh=job.fresh)
        if store is None:
            result = run.whole(plan, progress)
        else:
            folder.also_discard(store.discard)
            result = run.stored(plan, store, progress)
        error = None if test is None else error_volume(result.sr, result.cubic, test)
        progress.stage("write", writing_steps(result, job, picture=picture, error=error is not None))
        extra = {"margin": margins(region, worked), "notes": notes, "slices": slices.sentence, "slabs": len(plan.slabs)}
        extra["unfamiliar_percent"] = unfamiliar
        extra |= interval_report(scan, inner, target, error, test)
        extra |= score(result)
        with folder.writing():
            report = write_results(
                folder, scan.crop(inner), result, job, progress, extra=extra, picture=picture, error=error
            )
        progress.cancellation.close()
        files = folder.publish()
    return {
        "files": {name: str(path.resolve()) for name, path in files.items()},
        "shape": list(result.sr.shape),
        "spacing_mm": report["output"]["spacing_mm"],
        "report": report,
    }
