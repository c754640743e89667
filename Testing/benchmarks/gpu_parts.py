"""Parts of the GPU check, each of which returns its figures."""

from __future__ import annotations

import importlib.util
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from CTSuperResolutionLib.bench.benchmark import BenchmarkRequest, benchmark
from CTSuperResolutionLib.bench.cases import BenchmarkCase
from CTSuperResolutionLib.bench.scenes import VIEW, make_field, make_geometry, make_grid
from CTSuperResolutionLib.gaussians.backends import reference
from CTSuperResolutionLib.gaussians.backends.choice import Backend, choose_backend
from CTSuperResolutionLib.job.events import Progress, Reporter

ROOT = Path(__file__).resolve().parents[2]
TESTS = "Testing/gaussians/test_backends.py"
TEST_SECONDS = 150
NOT_BUILT = "The tests of the CPU library, which is not built here (cmake, see CUDAKernels/CMakeLists.txt)."
SLABS = 4  # at the most
NOT_REFINED = "Cloning, splitting and pruning in the fit, which need gsplat (pip install gsplat)."


@dataclass(frozen=True)
class Sizes:
    """Sizes of every part.

    Attributes:
        agreement: Gaussians and side of the arrays that are compared with the float64 reference.
        requests: (operations, beams, Gaussians, sizes) to measure.
        repeats: runs of each backend.
        fit: iterations, Gaussians, views and side of the detector.
        scan: side of the LR volume, in voxels, and of a voxel, in mm. preset, settings: of its job.
        long: shape (z, y, x) of the LR volume that is worked on in slabs, and the side of a voxel, mm.
        tests: run them, or else only collect them.
    """

    agreement: tuple[int, int]
    requests: tuple[tuple, ...]
    repeats: int
    fit: tuple[int, int, int, int]
    scan: tuple[int, float]
    preset: str
    settings: dict[str, Any]
    long: tuple[tuple[int, int, int], float]
    tests: bool


BOTH = ("parallel", "cone")
FULL = Sizes(
    agreement=(3000, 96),
    requests=(
        (("rasterize", "step"), BOTH, (10_000, 100_000, 500_000), (512,)),
        (("rasterize",), BOTH[:1], (50_000,), (256,)),
        (("rasterize",), BOTH[:1], (100_000,), (1024,)),
        (("voxelize",), BOTH, (100_000, 500_000), (256, 512)),
    ),
    repeats=15,
    fit=(5000, 100_000, 100, 512),
    scan=(128, 2.0),
    preset="paper",
    settings={},
    long=((128, 192, 192), 2.0),
    tests=True,
)
FEW = {"views": 6, "iterations": 4, "gaussians": 500, "max_gaussians": 1000, "ddim_steps": 1, "start_step": 10}
QUICK = Sizes(
    agreement=(60, 24),
    requests=((("rasterize", "voxelize", "step"), BOTH[:1], (500,), (24,)),),
    repeats=2,
    fit=(20, 500, 4, 32),
    scan=(12, 12.0),
    preset="paper",
    settings=FEW,
    long=((80, 20, 20), 6.0),
    tests=False,
)


def load_kernels(device: torch.device) -> dict[str, Any]:
    """Compile the kernels, whatever was kept from an earlier time, and have the device's backend render something."""
    since = time.perf_counter()
    figures: dict[str, Any] = {}
    if device.type == "cuda":
        from CTSuperResolutionLib.gaussians.backends import nvrtc

        code = nvrtc.machine_code("sm_{}{}".format(*torch.cuda.get_device_capability(device)), anew=True)
        figures = {"bytes": len(code), "compile_seconds": time.perf_counter() - since}
    backend = choose_backend(device)
    _render(BenchmarkCase("rasterize", "parallel", 64, 32), backend.kernels, device, torch.float32)
    _render(BenchmarkCase("voxelize", None, 64, 32), backend.kernels, device, torch.float32)
    return {**figures, "backend": backend.name, "why": backend.why, "seconds": time.perf_counter() - since}


def agreement(backend: Backend, device: torch.device, sizes: Sizes) -> dict[str, Any]:
    """Largest errors against the float64 reference, relative to the largest value; and whether it is repeatable."""
    count, side = sizes.agreement
    cases = [BenchmarkCase("rasterize", beam, count, side) for beam in BOTH]
    cases.append(BenchmarkCase("voxelize", None, count, side))
    found: dict[str, Any] = {"value": 0.0, "gradient": 0.0, "repeatable": True}
    for case in cases:
        values, gradients = _render(case, backend.kernels, device, torch.float32)
        again, gradients_again = _render(case, backend.kernels, device, torch.float32)
        true_values, true_gradients = _render(case, reference, torch.device("cpu"), torch.float64)
        found["value"] = max(found["value"], _error(values, true_values))
        errors = map(_error, gradients, true_gradients)
        found["gradient"] = max(found["gradient"], *errors)
        same = all(map(torch.equal, [values, *gradients], [again, *gradients_again]))
        found["repeatable"] = found["repeatable"] and same
    return found


def _render(
    case: BenchmarkCase, kernels: Any, device: torch.device, dtype: torch.dtype
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    field = [tensor.detach().to(dtype).requires_grad_() for tensor in make_field(case, device)]
    if case.op == "voxelize":
        rendered = kernels.voxelize(*field, make_grid(case))
    else:
        rendered = kernels.rasterize(*field, make_geometry(case), VIEW)
    weights = torch.randn(rendered.shape, generator=torch.Generator().manual_seed(2))
    rendered.backward(weights.to(rendered))
    return rendered.detach().cpu(), [tensor.grad.cpu() for tensor in field]


def _error(found: torch.Tensor, true: torch.Tensor) -> float:
    return float((found.double() - true).abs().max() / true.abs().max())


def backend_tests(sizes: Sizes) -> dict[str, Any]:
    """pytest's own summary of the tests that every backend passes."""
    for package in ("pytest", "hypothesis"):
        if importlib.util.find_spec(package) is None:
            return {"left_out": [f"The backend tests, which need {package} (pip install {package})."]}
    if not (ROOT / TESTS).is_file():
        return {"left_out": [f"The backend tests: there is no {TESTS}."]}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", TESTS]
    command += [] if sizes.tests else ["--collect-only"]
    built = choose_backend(torch.device("cpu")).name == "native"
    command += [] if built else ["-k", "not native"]
    since = time.perf_counter()
    try:
        done = subprocess.run(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TEST_SECONDS
        )
    except subprocess.TimeoutExpired:
        return {"passed": False, "summary": f"not done after {TEST_SECONDS} s"}
    if done.returncode:
        print(done.stdout + done.stderr, file=sys.stderr)
    summary = ([line for line in done.stdout.splitlines() if line.strip()] or ["nothing was printed"])[-1]
    passed = done.returncode == 0 if sizes.tests or done.returncode else None  # collecting says nothing good
    seconds = time.perf_counter() - since
    return {"passed": passed, "summary": summary, "seconds": seconds, "left_out": [] if built else [NOT_BUILT]}


def measure(backend: Backend, device: torch.device, sizes: Sizes, say: Callable[[str], None]) -> dict[str, Any]:
    """What ``ctsr bench`` reports, of several requests together."""

    class Notes(Progress):
        def note(self, message: str) -> None:
            say(message)

    report: dict[str, Any] = {}
    for ops, beams, gaussians, side in sizes.requests:
        say(f"{', '.join(ops)} of {', '.join(f'{n:,}' for n in gaussians)} Gaussians, {', '.join(map(str, side))}")
        names = tuple(dict.fromkeys(("torch", backend.name)))
        request = BenchmarkRequest(
            ops, beams, gaussians, side, names, device, (torch.get_num_threads(),), sizes.repeats
        )
        part = benchmark(request, Notes())
        part["rows"] = report.get("rows", []) + part["rows"]
        part["left_out"] = report.get("left_out", []) + part["left_out"]
        report = part
    return report


def fit_case(backend: Backend, device: torch.device, sizes: Sizes, absent: Sequence[str]) -> dict[str, Any]:
    """A whole fit to views of a field that is hidden from it."""
    from CTSuperResolutionLib.bench.steps import fit_settings
    from CTSuperResolutionLib.gaussians.field import GaussianField
    from CTSuperResolutionLib.gaussians.fit import fit
    from CTSuperResolutionLib.gaussians.scene import Scene

    iterations, count, views, side = sizes.fit
    case = BenchmarkCase("step", "parallel", count, side)
    scene = Scene.around((side, round(side / math.sqrt(2)), round(side / math.sqrt(2))), (1.0,) * 3)
    geometry = make_geometry(case, unit=1 / scene.per_mm, views=views)
    start = [tensor.detach() for tensor in make_field(case, device)]
    hidden = [start[0] + 0.5 / side, start[1], start[2], start[3]]
    with torch.no_grad():
        rendered = [backend.kernels.rasterize(*hidden, scene.geometry(geometry), k) for k in range(views)]
        truth = torch.stack(rendered) / scene.per_mm
    names = dict(zip(("means", "scales", "quats", "densities"), start, strict=True))
    names["densities"] = 0.5 * names["densities"]
    field = GaussianField(
        parameters={name: torch.nn.Parameter(tensor.clone()) for name, tensor in names.items()},
        raw_gamma=torch.nn.Parameter(torch.tensor(0.5413, device=device)),  # γ = 1
        smallest=0.35 * min(scene.grid.spacing),
    )
    every = iterations + 1 if "gsplat" in absent else 100
    settings = fit_settings(iterations=iterations, limit=count, densify_every=every)

    def error() -> float:
        with torch.no_grad():
            rendered = backend.kernels.rasterize(*field.gaussians(), scene.geometry(geometry), 0) / scene.per_mm
        return float((rendered - truth[0]).norm() / truth[0].norm())

    before = error()
    _wait(device)
    since = time.perf_counter()
    fit(field, truth, torch.zeros_like(truth), geometry, scene, settings, kernels=backend.kernels)
    _wait(device)
    seconds = time.perf_counter() - since
    return {
        "iterations": iterations,
        "gaussians": {"start": count, "end": len(field)},
        "views": views,
        "size": side,
        "seconds": seconds,
        "relative_error": {"start": before, "end": error()},
        "left_out": [NOT_REFINED] if "gsplat" in absent else [],
    }


def whole_case(device: torch.device, sizes: Sizes, absent: Sequence[str], say: Callable[[str], None]) -> dict[str, Any]:
    """From a generated LR volume to the SR volume, as ``ctsr run`` does it; reading and writing files left out."""
    if "scipy" in absent:
        return {"left_out": ["The whole case, which needs scipy (pip install scipy)."]}
    from CTSuperResolutionLib import pipeline
    from CTSuperResolutionLib.job.method import Method
    from CTSuperResolutionLib.phantom import thorax

    left_out, settings = [], dict(sizes.settings)
    if "gsplat" in absent:
        left_out.append(NOT_REFINED)
        settings["densify_every"] = 100_000
    if "safetensors" in absent:
        left_out.append("The prior in the whole case, which needs safetensors (pip install safetensors).")
        settings["null_space"] = 0
    side, spacing = sizes.scan
    scan = thorax(shape=(side,) * 3, spacing=spacing)
    method = Method("4", sizes.preset, settings, device=str(device))
    stage = ""

    def tell(event: dict[str, Any]) -> None:
        nonlocal stage
        if event["event"] == "progress" and event["stage"] != stage:
            stage = event["stage"]
            say(f"the whole case: {stage}")

    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    reporter = Reporter(tell)
    since = time.perf_counter()
    result = pipeline.super_resolve(scan, method, progress=reporter)
    _wait(device)
    seconds = time.perf_counter() - since
    if not math.isfinite(float(result.sr.array.sum())):
        raise ArithmeticError("the result holds values that are not numbers")
    return {
        "input": list(scan.shape),
        "output": list(result.sr.shape),
        "parameters": asdict(method.parameters),
        "complete": not left_out,
        "seconds": seconds,
        "stages": {name: numbers["seconds"] for name, numbers in reporter.stages().items()},
        "gpu_peak_mb": torch.cuda.max_memory_allocated(device) / 1e6 if device.type == "cuda" else None,
        "report": result.report,
        "left_out": left_out,
    }


def slabs_case(device: torch.device, sizes: Sizes, absent: Sequence[str]) -> dict[str, Any]:
    """A long scan to twice its size in slabs, against all of it at once: how far apart, and what each takes.

    The residual is one of voxels: a fit of Gaussians follows the least of differences.
    """
    needed = ("scipy", "safetensors", "SimpleITK")
    missing = [name for name in needed if name in absent or importlib.util.find_spec(name) is None]
    if missing:
        return {"left_out": [f"Slabs, which need {' and '.join(missing)} (pip install {' '.join(missing)})."]}
    from CTSuperResolutionLib.degradation.simulation import degrade
    from CTSuperResolutionLib.job.method import Method
    from CTSuperResolutionLib.phantom import thorax
    from CTSuperResolutionLib.planning.slabs import least_slabs, plan_slabs

    shape, spacing = sizes.long
    fine = thorax(shape=tuple(2 * n for n in shape), spacing=spacing / 2)
    scan = degrade(fine, (2, 2, 2), blur=0.5, noise_hu=5, seed=1)
    del fine
    method = Method("2", "preview", {"residual": "grid", "psf": "lanczos"}, device=str(device))
    target = method.target_grid(scan.shape, scan.spacing)
    _count, least = least_slabs(method.parameters, target, SLABS)
    results, figures = [], {}
    for name, budget in (("at_once", 1 << 60), ("in_slabs", least)):
        plan = plan_slabs(method.parameters, target, budget)
        if device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(device)
        since = time.perf_counter()
        results.append(_run_in_slabs(scan, method, target, plan))
        _wait(device)
        figures[name] = {
            "slabs": len(plan.slabs),
            "seconds": time.perf_counter() - since,
            "gpu_peak_mb": torch.cuda.max_memory_allocated(device) / 1e6 if device.type == "cuda" else None,
            "estimated_mb": plan.memory / 1e6,
        }
    return {"output": list(results[0].shape), **figures, "largest_hu": float(abs(results[0] - results[1]).max())}


def _run_in_slabs(scan: Any, method: Any, target: Any, plan: Any) -> Any:
    """The super-resolved HU of a scan by a plan of its slabs, float32 (z, y, x)."""
    import numpy as np

    from CTSuperResolutionLib.output.slabbed_run import SlabbedRun, open_store
    from CTSuperResolutionLib.stages.scan_findings import ScanFindings

    findings = ScanFindings.of(scan, target, method.parameters)
    region = tuple(slice(0, n) for n in scan.shape)
    run = SlabbedRun(scan, method, region, target, findings)
    with tempfile.TemporaryDirectory(prefix="ctsr-bench-") as folder:
        if len(plan.slabs) == 1:
            found = run.whole(plan, Progress())
        else:
            plan, store = open_store(run, plan, plan.memory, Path(folder), fresh=True)
            assert store is not None
            found = run.stored(plan, store, Progress())
        return np.stack([np.asarray(part, dtype=np.float32) for part in found.sr.array])


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
