"""ctsr demo: make a thorax phantom, degrade it, super-resolve it and score it against its own truth.

Nothing is downloaded. OUT_DIR gets what 'ctsr run' writes, and truth.nrrd and scan.nrrd.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from CTSuperResolutionLib.cli.arguments import add_method_options, job_spec
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.events import Reporter
from CTSuperResolutionLib.output.folder import SUMMARY, OutputFolder
from CTSuperResolutionLib.output.run_job import super_resolve_into

OWN = ("scan.nrrd", "truth.nrrd")  # what a demo writes besides the results
NOISE_HU = 5.0  # of the simulated scan; larger voxels average the phantom's own noise away


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument(
        "output", nargs="?", default="ctsr-demo", metavar="OUT_DIR", help="folder for the results (default ctsr-demo)"
    )
    add_method_options(parser, preset="preview")


def execute(options: argparse.Namespace, progress: Reporter) -> dict[str, Any]:
    """Run the command."""
    spec = job_spec(options, input="scan.nrrd", output=options.output)
    truth = None

    def load(folder: OutputFolder) -> Any:
        nonlocal truth
        _require_own(folder.path)
        from CTSuperResolutionLib.degradation.operator import assumed_blur
        from CTSuperResolutionLib.degradation.simulation import degrade
        from CTSuperResolutionLib.phantom import thorax
        from CTSuperResolutionLib.volume.reading import read_volume
        from CTSuperResolutionLib.volume.writing import write_volume

        truth = thorax(seed=spec.seed)
        progress.check()
        numbers = spec.parameters
        factors = spec.refinement(truth.spacing)
        # The scan covers whole voxels, and the result what the scan does.
        truth = truth.crop(tuple(slice(0, n // s * s) for n, s in zip(truth.shape, factors, strict=True)))
        blur = assumed_blur(numbers.blur, factors)
        scan = degrade(truth, factors, kernel=numbers.kernel, blur=blur, noise_hu=NOISE_HU, seed=spec.seed)
        write_volume(truth, folder.file("truth.nrrd"))
        write_volume(scan, folder.file("scan.nrrd"))
        return read_volume(folder.file("scan.nrrd"))

    def score(result: Any) -> dict[str, Any]:
        from CTSuperResolutionLib.evaluation.metrics import psnr, ssim

        compared = {"cubic": result.cubic, "super-resolved": result.sr}
        scores = {
            name: {"psnr_db": round(psnr(volume, truth), 3), "ssim": round(ssim(volume, truth), 4)}
            for name, volume in compared.items()
        }
        return {"scores": scores}

    return super_resolve_into(spec, progress, load, score)


def _require_own(folder: Path) -> None:
    """Check that scan.nrrd and truth.nrrd, where they are there, come from an earlier demo and not from the user."""
    there = [name for name in OWN if os.path.lexists(folder / name)]
    if not there:
        return
    try:
        ours = "scores" in json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        ours = False
    if not ours or not all((folder / name).is_file() for name in there):
        raise JobError(f"{folder / there[0]} is not from an earlier demo and would be replaced; choose another folder.")


def describe(found: dict[str, Any]) -> str:
    """What a terminal shows of the result."""
    rows = [f"{'against the truth':<18}{'PSNR dB':>9}{'SSIM':>8}"]
    for name, score in found["report"]["scores"].items():
        rows.append(f"{name:<18}{score['psnr_db']:9.2f}{score['ssim']:8.4f}")
    return "\n".join([*rows, *(f"  {path}" for path in found["files"].values())])
