"""Evaluation from CTs to tables: every method on every case, with what is done already taken from the store."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from CTSuperResolutionLib import machine
from CTSuperResolutionLib.evaluation.cases import EvaluationCase, case_name, load_volume, save_case
from CTSuperResolutionLib.evaluation.engines import run_local, run_on_ray
from CTSuperResolutionLib.evaluation.figure import case_figure
from CTSuperResolutionLib.evaluation.methods import METHODS
from CTSuperResolutionLib.evaluation.priors import KnownPrior, look_at_prior
from CTSuperResolutionLib.evaluation.protocol import EvaluationProtocol
from CTSuperResolutionLib.evaluation.store import Store
from CTSuperResolutionLib.evaluation.table import Row, format_tables, write_csv
from CTSuperResolutionLib.evaluation.task import EvaluationOutcome, EvaluationTask, task_key
from CTSuperResolutionLib.evaluation.view import figure_plane, plane_shape
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.job.parameters import Value
from CTSuperResolutionLib.job.priors import known_priors, prior_name
from CTSuperResolutionLib.job.refinement import whole_factors
from CTSuperResolutionLib.output.report import NOT_FOR_DIAGNOSIS
from CTSuperResolutionLib.planning.cost_model import stage_seconds
from CTSuperResolutionLib.volume.reading import read_volume

READ_SECONDS, CHILD_SECONDS = 4.0, 8.0  # to read a CT; to start a child and score what it made


@dataclass(frozen=True)
class EvaluationRequest:
    """One evaluation: CTs, scales and methods.

    Attributes:
        cts: files by name. scales: as jobs have them. protocol: from a CT to a case. methods: names.
        preset, settings, device, seed: of all methods; a method's own settings go before these.
        priors: name or folder, for every CT.
        engine: "local" or "ray". ray_address: of a cluster; None starts one here.
        keep_volumes: whether results are kept.
    """

    cts: Mapping[str, Path]
    scales: tuple[str, ...]
    protocol: EvaluationProtocol
    methods: tuple[str, ...]
    preset: str
    settings: Mapping[str, Value]
    device: str
    seed: int
    priors: Mapping[str, str]
    engine: str
    ray_address: str | None
    keep_volumes: bool

    def method(self, ct: str, scale: str, name: str) -> Method:
        """The method behind an evaluated one's name, for a case.

        Raises:
            JobError: it is not allowed.
        """
        prior = self.priors[ct]
        told = {} if self.preset == "paper" else {"psf": "lanczos"}  # how the scans were degraded
        return Method(
            scale=scale,
            preset=self.preset,
            device=self.device,
            prior=prior if prior in known_priors() else os.path.abspath(prior),
            seed=self.seed,
            settings={**told, **METHODS[name].fit, **self.settings, **(METHODS[name].settings or {})},
        )


def evaluate(
    request: EvaluationRequest, store: Store, private: Path, results: Path, progress: Progress
) -> dict[str, Any]:
    """Evaluate methods on CTs.

    Args:
        request: the CTs, scales and methods.
        store: outcomes of earlier evaluations, and of this one as they come.
        private: folder for the cases, which the caller removes.
        results: folder for results.csv, results.json, table.md and figure-CASE.png.
        progress: told of a stage for every case.

    Returns:
        The content of results.json.

    Raises:
        JobError: something cannot be read, done or written.
    """
    each = itertools.product(request.cts, request.scales, request.methods)
    wanted = [(name, request.method(ct, scale, name)) for ct, scale, name in each]
    needed = {method.prior: method.prior_place for name, method in wanted if _asks_prior(name, method)}
    priors = {prior: look_at_prior(place) for prior, place in needed.items()}
    progress.plan({"prepare": READ_SECONDS * len(request.cts), **_planned(request), "write": 1.0 + len(wanted) / 10})
    cases = _prepare(request, private, progress)
    tasks = {case.name: _tasks(request, case, priors) for case in cases}
    outcomes: dict[tuple[str, str], EvaluationOutcome] = {}
    missing: list[EvaluationTask] = []
    shapes = {case.name: plane_shape(case.shape) for case in cases}
    for task in (task for of_case in tasks.values() for task in of_case):
        found = store.find(task, shapes[task.case])
        if found is None:
            missing.append(task)
        else:
            outcomes[task.case, task.name] = found
    if outcomes:
        progress.note(f"{len(outcomes)} of {len(outcomes) + len(missing)} results are there already.")

    paths = {case.name: case.path for case in cases}
    if request.engine == "ray":
        coming = run_on_ray(missing, paths, request.ray_address, progress.check)
    else:
        coming = run_local(missing, paths, progress.check)
    with contextlib.closing(coming):
        for name, of_case in itertools.groupby(missing, key=lambda task: task.case):
            left = list(of_case)
            progress.stage(name, len(left))
            for task in left:
                outcome = outcomes[name, task.name] = next(coming)
                store.put(task, outcome, paths[name])
                progress.advance()

    rows = [_row(case, task, outcomes[case.name, task.name], priors) for case in cases for task in tasks[case.name]]
    return _write(request, cases, outcomes, rows, results, progress)


def _write(
    request: EvaluationRequest,
    cases: Sequence[EvaluationCase],
    outcomes: Mapping[tuple[str, str], EvaluationOutcome],
    rows: Sequence[Row],
    results: Path,
    progress: Progress,
) -> dict[str, Any]:
    """Write the figures, the tables and results.json, which is returned."""
    progress.stage("write", len(cases) + 1)
    for case in cases:
        reference = load_volume(case.path, "reference")
        planes = {method: outcomes[case.name, method].plane for method in request.methods}
        path = results / f"figure-{case.name}.png"
        case_figure(figure_plane(reference, reference), planes, reference.spacing, path, title=case.name)
        progress.advance()
    report = {
        "note": NOT_FOR_DIAGNOSIS,
        "versions": machine.versions(),
        "platform": platform.platform(),
        "protocol": asdict(request.protocol),
        "preset": request.preset,
        "settings": dict(request.settings),
        "seed": request.seed,
        "engine": request.engine,
        "methods": {name: METHODS[name].help for name in request.methods},
        "rows": rows,
    }
    (results / "results.json").write_text(json.dumps(report, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    (results / "table.md").write_text(format_tables(report), encoding="utf-8")
    write_csv(rows, results / "results.csv")
    progress.advance()
    return report


def _prepare(request: EvaluationRequest, private: Path, progress: Progress) -> list[EvaluationCase]:
    """Every CT is read before anything long begins, so that one that cannot be is said at once."""
    progress.stage("prepare", len(request.cts))
    cases = []
    for ct, path in request.cts.items():
        volume = read_volume(path)
        request.protocol.require_resolution(ct, volume)
        progress.check()
        reference = request.protocol.reference(volume)
        del volume
        for scale in request.scales:
            factors = whole_factors(scale)
            whole, scan = request.protocol.scan(ct, reference, factors)
            cases.append(save_case(ct, scale, whole, scan, blur=request.protocol.blur, folder=private))
        progress.advance()
    return cases


def _planned(request: EvaluationRequest) -> dict[str, float]:
    """About the seconds of every case's stage, from the crop: nothing has been read yet."""
    seconds = {}
    spacing = (request.protocol.iso_mm or 1.0,) * 3
    for ct in request.cts:
        for scale in request.scales:
            total = 0.0
            for name in request.methods:
                method = request.method(ct, scale, name)
                factors = whole_factors(scale)
                shape = [max(n // s, 1) for n, s in zip(request.protocol.crop, factors, strict=True)]
                coarse = [d * s for d, s in zip(spacing, factors, strict=True)]
                whole = METHODS[name].settings is not None
                total += CHILD_SECONDS
                total += sum(stage_seconds(method.parameters, shape, factors, coarse).values()) if whole else 0
            seconds[case_name(ct, scale)] = total
    return seconds


def _tasks(request: EvaluationRequest, case: EvaluationCase, priors: Mapping[str, KnownPrior]) -> list[EvaluationTask]:
    tasks = []
    for name in request.methods:
        method = request.method(case.ct, case.scale, name)
        prior = priors[method.prior].sha256 if _asks_prior(name, method) else None
        key = task_key(case, name, method, noise_hu=request.protocol.noise_hu, prior_sha256=prior)
        tasks.append(EvaluationTask(case.name, name, method, case.blur, request.keep_volumes, key))
    return tasks


def _asks_prior(name: str, method: Method) -> bool:
    return METHODS[name].settings is not None and method.parameters.uses_prior


def _row(
    case: EvaluationCase, task: EvaluationTask, outcome: EvaluationOutcome, priors: Mapping[str, KnownPrior]
) -> dict[str, Any]:
    used = _asks_prior(task.name, task.method)
    report = outcome.report
    return {
        "case": case.name,
        "ct": case.ct,
        "scale": case.scale,
        "method": task.name,
        "prior": prior_name(task.method.prior) if used else None,
        "prior_sha256": priors[task.method.prior].sha256 if used else None,
        "seen": used and case.ct in priors[task.method.prior].trained_on,
        **report["scores"],
        "seconds": report["seconds"],
        "peak_mb": report["peak_mb"],
        "gpu_peak_mb": report["gpu_peak_mb"],
    }
