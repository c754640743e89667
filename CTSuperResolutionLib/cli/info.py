"""ctsr info: say what this machine offers and, with INPUT, what a job on it would need."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from CTSuperResolutionLib.cli.arguments import (
    add_input_options,
    add_memory_option,
    add_method_options,
    add_region_option,
    method_of,
)
from CTSuperResolutionLib.cli.wording import error_sentence, remedy_words
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.events import Reporter
from CTSuperResolutionLib.job.memory import parse_memory
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.job.region import parse_roi, region_slices
from CTSuperResolutionLib.job.terminal import clock_text

if TYPE_CHECKING:
    from CTSuperResolutionLib.planning.requirements import Requirements
    from CTSuperResolutionLib.volume.scan_source import ScanSource


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("input", nargs="?", metavar="INPUT", help="the scan that a job would have")
    add_method_options(parser)
    add_region_option(parser)
    add_memory_option(parser)
    add_input_options(parser)


def execute(options: argparse.Namespace, progress: Reporter) -> dict[str, Any]:
    """Run the command."""
    method = method_of(options)
    roi = None if options.roi is None else parse_roi(options.roi)
    progress.stage("look", 1 if options.input is None else 2)
    from CTSuperResolutionLib import machine

    found: dict[str, Any] = {"machine": machine.describe()}
    progress.advance()
    if options.input is not None:
        from CTSuperResolutionLib.planning.requirements import requirements_here
        from CTSuperResolutionLib.planning.slabs import dependence_note
        from CTSuperResolutionLib.volume.reading import open_scan

        scan = open_scan(
            options.input, series=options.series, allow_unusual=options.allow_unusual, untilt=options.untilt
        )
        for note in scan.notes:
            progress.note(note)
        memory = None if options.memory is None else parse_memory(options.memory)
        region = region_slices(roi, scan.shape)
        needed = requirements_here(method, region, scan.spacing, scan.shape, memory=memory)
        if needed.fits and (depends := dependence_note(method.parameters, needed.slabs)):
            progress.note(depends)
        found["job"] = {
            "input_shape": scan.shape,
            "input_spacing": scan.spacing,
            "acquisition": scan.acquisition.stated,
            **_look_at_slices(scan, method, needed, progress),
            **asdict(needed),
            "seconds": round(needed.seconds(method)),
            "instead": _instead(needed, method),
        }
        progress.advance()
    return found


def _look_at_slices(scan: ScanSource, method: Method, needed: Requirements, progress: Reporter) -> dict[str, Any]:
    """What a job would take for the scan's point-spread function, by axis, and in a sentence on its slices.

    Where the voxels cannot be worked on, ``problem`` says why, and the header alone counts.
    """
    from CTSuperResolutionLib.degradation.acquisition import acquisition_of, slice_thickness_of
    from CTSuperResolutionLib.degradation.representative import representative_region
    from CTSuperResolutionLib.degradation.slice_thickness import SliceThickness, slice_axis

    thickness = scan.acquisition.slice_thickness
    try:
        looked_at = scan.read(representative_region(scan.shape), check=progress.check)
    except JobError as error:
        slices = SliceThickness(scan.spacing[slice_axis(scan.spacing, thickness)], thickness)
        return {"problem": error_sentence(error), "point_spread": None, "slices": slices.sentence}
    acquisition = acquisition_of(looked_at, method.parameters, needed.factors, thickness, progress.check)
    slices = slice_thickness_of(acquisition, scan.spacing, thickness)
    if slices.contradiction:
        progress.note(slices.contradiction)
    return {"point_spread": acquisition.report(), "slices": slices.sentence}


def _instead(needed: Requirements, method: Method) -> list[dict[str, Any]]:
    """What would fit where the job does not, with the seconds that it takes; empty where the job fits."""
    try:
        needed.require_memory(method)
    except JobError as error:
        return [
            {"words": remedy_words(remedy), "seconds": None if seconds is None else round(seconds)}
            for remedy in error.remedies
            for seconds in [needed.seconds_with(method, remedy)]
        ]
    return []


def describe(found: dict[str, Any]) -> str:
    """The result as a terminal shows it."""
    machine = found["machine"]
    cpu, gpus = machine["cpu"], machine["gpus"]
    lines = [
        ("versions", ", ".join(f"{name} {version}" for name, version in machine["versions"].items())),
        ("platform", machine["platform"]),
        ("torch", f"{machine['torch']['build']}, {machine['torch']['threads']} threads"),
        ("cpu", f"{cpu['cores']} cores, {cpu['available_mb']} of {cpu['memory_mb']} MB memory free"),
        (
            "gpu",
            "; ".join(f"{g['device']} {g['name']}, {g['memory_mb']} MB" for g in gpus) or "none that torch can use",
        ),
        *(("kernels", f"{device}: {used['why']}") for device, used in machine["kernels"].items()),
        ("projectors", ", ".join(machine["projectors"])),
        ("priors", "; ".join(f"{name} at {path or '(missing)'}" for name, path in machine["priors"].items())),
        *(("note", note) for note in machine["notes"]),
    ]
    if "job" in found:
        lines += _job_lines(found["job"])
    return "\n".join(f"{name:<11}{text}" for name, text in lines)


def _job_lines(job: dict[str, Any]) -> list[tuple[str, str]]:
    def grid(shape: Any, spacing: Any) -> str:
        return f"{' x '.join(map(str, shape))} voxels of {' x '.join(f'{s:.4g}' for s in spacing)} mm (z, y, x)"

    enough = "fits" if job["fits"] else "does not fit"
    may = f" of {job['budget'] / 1e6:.0f} MB that it may take, {job['available'] / 1e6:.0f} MB are free"
    slabs = f" in {job['slabs']} slabs" if job["slabs"] > 1 else ""
    stated = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in job["acquisition"].items())
    return [
        ("input", grid(job["input_shape"], job["input_spacing"])),
        *([("header", stated)] if stated else []),
        ("slices", job["slices"].removeprefix("slices ")),
        *([("problem", job["problem"])] if "problem" in job else []),
        ("output", grid(job["output_shape"], job["output_spacing"])),
        ("device", job["device"]),
        ("memory", f"about {job['memory'] / 1e6:.0f} MB{slabs}{may}, {enough}"),
        ("disk", f"at most {job['disk'] / 1e6:.0f} MB"),
        ("time", _time(job["seconds"])),
        *(("instead", f"{way['words']}, {_time(way['seconds'])}") for way in job["instead"]),
    ]


def _time(seconds: float | None) -> str:
    return "of unknown time" if seconds is None else f"about {clock_text(seconds)} on a plain computer"
