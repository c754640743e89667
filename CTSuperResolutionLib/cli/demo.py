"""ctsr demo: generate a thorax, degrade it, super-resolve it and score it against its own truth.

It is not the scanned FDA thorax phantom of the evaluation, and gains less. Nothing is downloaded. OUT_DIR gets what
'ctsr run' writes, and truth.nrrd and scan.nrrd.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from CTSuperResolutionLib.cli.arguments import add_method_options, job_of
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.events import Reporter
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.job.refinement import whole_factors
from CTSuperResolutionLib.output.folder import SUMMARY, OutputFolder
from CTSuperResolutionLib.output.report import header_entries
from CTSuperResolutionLib.output.run_job import run_job

if TYPE_CHECKING:
    from CTSuperResolutionLib.pipeline import Result
    from CTSuperResolutionLib.volume.scan_source import ScanSource
    from CTSuperResolutionLib.volume.volume import Volume

OWN = ("scan.nrrd", "truth.nrrd")  # what a demo writes besides the results
NOISE_HU = 5.0  # of the simulated scan; larger voxels average the thorax's own noise away


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument(
        "output", nargs="?", default="ctsr-demo", metavar="OUT_DIR", help="folder for the results (default ctsr-demo)"
    )
    add_method_options(parser, preset="preview")


def execute(options: argparse.Namespace, progress: Reporter) -> dict[str, Any]:
    """Run the command."""
    job = job_of(options, "scan.nrrd", options.output)
    demo = _Demo(job.method, progress)
    return run_job(job, progress, demo.find, demo.score)


class _Demo:
    """A generated thorax, its simulated scan, and the result scored against the thorax."""

    def __init__(self, method: Method, progress: Reporter) -> None:
        self._method, self._progress = method, progress
        self._truth: Volume | None = None

    def find(self, folder: OutputFolder) -> ScanSource:
        """Generate the thorax and its scan, and write both."""
        _require_own(folder.path)
        from CTSuperResolutionLib.degradation.operator import assumed_blur
        from CTSuperResolutionLib.degradation.simulation import degrade
        from CTSuperResolutionLib.phantom import thorax
        from CTSuperResolutionLib.volume.reading import open_scan
        from CTSuperResolutionLib.volume.writing import write_volume

        truth = thorax(seed=self._method.seed)
        self._progress.check()
        p, factors = self._method.parameters, whole_factors(self._method.scale)
        # The scan covers whole voxels, and the result what the scan does.
        z, y, x = (slice(0, n // s * s) for n, s in zip(truth.shape, factors, strict=True))
        self._truth = truth = truth.crop((z, y, x))
        blur = assumed_blur(p.blur, factors)
        kernel = "mean" if p.psf == "mean" else "lanczos"
        scan = degrade(truth, factors, kernel=kernel, blur=blur, noise_hu=NOISE_HU, seed=self._method.seed)
        made = {"command": "demo", "seed": self._method.seed}
        write_volume(truth, folder.file("truth.nrrd"), metadata=header_entries("truth", made))
        made |= {"scale": self._method.scale, "kernel": kernel, "blur": blur, "noise_hu": NOISE_HU}
        write_volume(scan, folder.file("scan.nrrd"), metadata=header_entries("degraded", made))
        return open_scan(folder.file("scan.nrrd"))

    def score(self, result: Result) -> dict[str, Any]:
        """Compare both volumes of the result with the generated thorax."""
        import numpy as np

        from CTSuperResolutionLib.evaluation.metrics import psnr, ssim

        assert self._truth is not None
        scores = {}
        for name, volume in (("cubic", result.cubic), ("super-resolved", result.sr)):
            read = replace(volume, array=np.asarray(volume.array))  # which may lie in slabs
            scores[name] = {"psnr_db": round(psnr(read, self._truth), 3), "ssim": round(ssim(read, self._truth), 4)}
        return {"scores": scores}


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
    """The result as a terminal shows it."""
    rows = [f"{'generated thorax':<18}{'PSNR dB':>9}{'SSIM':>8}"]
    for name, score in found["report"]["scores"].items():
        rows.append(f"{name:<18}{score['psnr_db']:9.2f}{score['ssim']:8.4f}")
    return "\n".join([*rows, *(f"  {path}" for path in found["files"].values())])
