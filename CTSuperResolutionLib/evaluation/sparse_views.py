"""Sparse-view evaluation: CTs scanned with few views, reconstructed by every method, and compared with themselves."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from CTSuperResolutionLib import __version__, machine
from CTSuperResolutionLib.diffusion.prior_folder import WEIGHTS
from CTSuperResolutionLib.evaluation.protocol import EvaluationProtocol
from CTSuperResolutionLib.evaluation.sparse_view_scores import sparse_view_scores
from CTSuperResolutionLib.evaluation.table import write_csv
from CTSuperResolutionLib.job.events import Progress, WithinStep
from CTSuperResolutionLib.output.report import NOT_FOR_DIAGNOSIS
from CTSuperResolutionLib.reconstruction.methods import ReconstructionMethod
from CTSuperResolutionLib.reconstruction.reconstruct import reconstruct
from CTSuperResolutionLib.reconstruction.simulated_scan import SimulatedScan
from CTSuperResolutionLib.reconstruction.simulation import simulate
from CTSuperResolutionLib.volume.reading import read_volume
from CTSuperResolutionLib.volume.volume import Volume

SPARSE_FILES = ("results.csv", "results.json", "table.md")
SEEN = "†"
ROW_FORM = 2  # of the rows that are kept; another number when they get other entries
Row = dict[str, Any]


@dataclass(frozen=True)
class SparseViewRequest:
    """One evaluation of reconstructions from few views.

    Attributes:
        cts: files by name. protocol: from a CT to what is scanned.
        scans: one for every number of views. methods: what is compared.
    """

    cts: Mapping[str, Path]
    protocol: EvaluationProtocol
    scans: tuple[SimulatedScan, ...]
    methods: tuple[ReconstructionMethod, ...]


def evaluate_sparse_views(request: SparseViewRequest, kept: Path, results: Path, progress: Progress) -> dict[str, Any]:
    """Evaluate methods of reconstruction on CTs that are scanned with few views.

    Args:
        request: the CTs, scans and methods.
        kept: folder with a file for every row, from which an evaluation that was stopped goes on.
        results: folder for results.csv, results.json and table.md.
        progress: told of a stage for every CT and number of views.

    Returns:
        The content of results.json.

    Raises:
        JobError: something cannot be read, done or written.
    """
    rows: list[Row] = []
    for ct, path in request.cts.items():
        volume = read_volume(path)
        request.protocol.require_resolution(ct, volume)
        reference = request.protocol.reference(volume)
        del volume
        for scan in request.scans:
            rows += _rows(ct, reference, scan, request.methods, kept, progress)
    progress.stage("write")
    report = {
        "note": NOT_FOR_DIAGNOSIS,
        "versions": machine.versions(),
        "protocol": asdict(request.protocol),
        "scans": [asdict(scan) for scan in request.scans],
        "methods": [asdict(method) for method in request.methods],
        "rows": rows,
    }
    (results / "results.json").write_text(json.dumps(report, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    (results / "table.md").write_text(format_sparse_views(report), encoding="utf-8")
    write_csv(rows, results / "results.csv")
    progress.advance()
    return report


def format_sparse_views(report: Mapping[str, Any]) -> str:
    """The table of a report: means over CTs, a row a method, a column a number of views."""
    rows: Sequence[Row] = report["rows"]
    views = list(dict.fromkeys(row["views"] for row in rows))
    lines = []
    for method in dict.fromkeys(row["method"] for row in rows):
        cells, seconds = [method], list[str]()
        for count in views:
            of_cell = [row for row in rows if (row["method"], row["views"]) == (method, count)]
            means = {name: float(np.mean([row[name] for row in of_cell])) for name in _SHOWN}
            seen = f" {SEEN}" if any(row["seen"] for row in of_cell) else ""
            cells.append(" / ".join(f"{means[name]:.{digits}f}" for name, digits in _SHOWN.items()) + seen)
            seconds.append(f"{np.mean([row['seconds'] for row in of_cell]):.0f}")
        peak = max(row["peak_mb"] for row in rows if row["method"] == method)
        lines.append(f"| {' | '.join([*cells, ' / '.join(seconds), f'{peak:.0f}'])} |\n")
    heading = ["method", *(f"{count} views" for count in views), "seconds", "peak MB"]
    rule = ["---", *["---:"] * (len(views) + 2)]
    scan, protocol = report["scans"][0], report["protocol"]
    cts = list(dict.fromkeys(row["ct"] for row in rows))
    notes = [
        "Each cell: PSNR dB / SSIM of axial slices / SSIM in 3D / slice-step error HU; means over CTs.",
        "Seconds: of a reconstruction, by number of views. Peak MB: the most of any, libraries included.",
        f"CTs: {', '.join(cts)}, at {protocol['iso_mm']:g} mm (0: their own grid), at most "
        f"{' x '.join(map(str, protocol['crop']))} voxels (z, y, x). {scan['beam'].capitalize()} beam, I0 "
        f"{scan['photons']:g}, electronic noise {scan['electronic']:g}. Scores on [0, 1] over -1000 to 1000 HU.",
        "Projected and reconstructed on one grid, which flatters all methods.",
    ]
    if any(row["seen"] for row in rows):
        notes.append(f"{SEEN} the slice fixer was trained on one of these CTs, so the cell says nothing of new ones.")
    table = "".join(f"| {' | '.join(line)} |\n" for line in (heading, rule)) + "".join(lines)
    return table + "\n" + "".join(f"- {note}\n" for note in notes)


_SHOWN = {"psnr_db": 2, "ssim": 4, "ssim_3d": 4, "slice_step_hu": 1}


def _rows(
    ct: str,
    reference: Volume,
    scan: SimulatedScan,
    methods: Sequence[ReconstructionMethod],
    kept: Path,
    progress: Progress,
) -> Iterator[Row]:
    """The rows of one CT scanned in one way; those that are kept are not made again."""
    projections = None
    for method in methods:
        file = kept / f"{ct}-{scan.views}-{method.name}-{_key(reference, scan, method)}.json"
        with contextlib.suppress(OSError, ValueError):
            yield json.loads(file.read_text(encoding="utf-8"))
            continue
        if projections is None:
            progress.stage(f"{ct}, {scan.views} views", scan.views)
            projections = simulate(reference, scan, progress)
        machine.forget_earlier_work()  # what the method before it took at its peak
        started = time.monotonic()
        progress.stage(f"{ct}, {scan.views} views, {method.name}")
        found = reconstruct(projections, method, progress=WithinStep(progress))
        progress.advance()
        seconds, memory = time.monotonic() - started, machine.memory()
        fixer = found.report.get("slice_fixer")
        row = {
            "ct": ct,
            "views": scan.views,
            "method": method.name,
            "seen": fixer is not None and ct in fixer["trained_on"],
            **sparse_view_scores(found.volume, reference),
            "projection_error": found.report["projection_error"],
            "seconds": round(seconds, 3),
            "peak_mb": memory["peak_mb"],
        }
        kept.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        part.write_text(json.dumps(row) + "\n", encoding="utf-8")
        os.replace(part, file)
        yield row


def _key(reference: Volume, scan: SimulatedScan, method: ReconstructionMethod) -> str:
    """Of everything that a row depends on."""
    digest = hashlib.sha256(reference.array.tobytes())
    weights = method.fixer_folder / WEIGHTS if method.name == "diffnr" else None
    with contextlib.suppress(OSError):
        digest.update(weights.read_bytes() if weights else b"")
    values = [__version__, ROW_FORM, asdict(scan), asdict(method), asdict(method.parameters)]
    digest.update(json.dumps(values, sort_keys=True, default=str).encode())
    return digest.hexdigest()[:16]
