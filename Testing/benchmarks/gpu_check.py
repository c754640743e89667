#!/usr/bin/env python3
"""Check of the CUDA kernels on this machine's GPU: python Testing/benchmarks/gpu_check.py

Under ten minutes it compiles the CUDA kernels, compares them with the float64 reference, runs the tests that every
backend passes, fits 100,000 Gaussians to 512 x 512 views for 5,000 iterations, super-resolves a generated volume from
128³ to 512³ with 100 views, compares a long scan in slabs with all of it at once, measures every kernel, and writes all
figures with what passed to Testing/benchmarks/results/<device>.json. It needs this checkout, torch for CUDA, cuda-core,
numpy and pytest; what needs more is left out where that is missing, and says so. Exit codes: 0 done, 1 a target or a
part failed, 2 it cannot run here.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
NEEDED = {"torch": "torch", "numpy": "numpy"}
CUDA_NEEDS = {"cuda.core": "cuda-core"}
OPTIONAL = ("safetensors", "gsplat", "PIL", "psutil", "scipy", "SimpleITK", "skimage", "matplotlib")
PIP_NAMES = {"PIL": "pillow", "skimage": "scikit-image"}
Say = Callable[[str], None]


def main() -> int:
    """Run every part and write what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to try the check itself; also without a GPU")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu goes with --quick only")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder for the figures")
    parser.add_argument("--without", default="", metavar="LIST", help="do as if these packages were not installed")
    options = parser.parse_args()
    problem = cannot_run(options)
    if problem:
        print(problem, file=sys.stderr)
        return 2
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    sys.path.insert(0, str(ROOT))
    since = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - since:4.0f} s] {text}", flush=True)

    from absent_packages import AbsentPackages

    hidden = tuple(filter(None, options.without.split(",")))
    with AbsentPackages(OPTIONAL, hidden) as absent:
        import gpu_parts

        import CTSuperResolutionLib.bench.steps
        import CTSuperResolutionLib.phantom
        import CTSuperResolutionLib.pipeline  # noqa: F401 - all that the parts import, while missing packages may be

    sizes = gpu_parts.QUICK if options.quick else gpu_parts.FULL
    found = run(gpu_parts, sizes, options, absent.asked, say)
    found["seconds"] = round(time.monotonic() - since, 1)
    path = write(found, options.out)
    from gpu_targets import describe

    for target in found["targets"]:
        print(describe(target))
    for line in found["left_out"]:
        print(f"left out: {line}")
    say(f"figures are in {path}")
    failed = found["errors"] or any(target["passed"] is False for target in found["targets"])
    return 1 if failed else 0


def cannot_run(options: argparse.Namespace) -> str | None:
    """The one sentence that says why the check cannot run here."""
    if options.device == "cpu" and not options.quick:
        return "The whole check is for a GPU; add --quick to try the check itself on a CPU."
    needed = {**NEEDED, **({} if options.device == "cpu" else CUDA_NEEDS)}
    missing = [package for module, package in needed.items() if not installed(module)]
    if missing:
        return f"This Python lacks {' and '.join(missing)}; install with: pip install {' '.join(missing)}"
    if options.device == "cuda":
        import torch

        if torch.version.cuda is None:
            return f"torch {torch.__version__} is built for the CPU only; install torch for CUDA, or use --device cpu."
        if not torch.cuda.is_available():
            return "torch finds no GPU that it can use; look at nvidia-smi, or use --quick --device cpu."
    return None


def installed(module: str) -> bool:
    """Whether a module can be found, without importing more than its parent."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def run(parts: Any, sizes: Any, options: argparse.Namespace, absent: list[str], say: Say) -> dict[str, Any]:
    """All parts; one that fails does not keep the others from running."""
    import torch
    from gpu_targets import judge

    from CTSuperResolutionLib.bench.environment import describe_device, describe_versions

    device = torch.device("cuda:0" if options.device == "cuda" else "cpu")
    wanted = "cuda" if device.type == "cuda" else "native"
    found: dict[str, Any] = {
        "device": describe_device(device),
        "versions": describe_versions(),
        "quick": options.quick,
        "missing_packages": [PIP_NAMES.get(name, name) for name in absent],
        "errors": {},
        "left_out": [],
    }
    say(f"{found['device']['name']}, " + ", ".join(f"{name} {v}" for name, v in found["versions"].items() if v))

    def part(name: str, title: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        say(title)
        try:
            figures = work()
        except Exception as error:
            traceback.print_exc()
            found["errors"][name] = f"{type(error).__name__}: {error}"
            say(f"failed: {error}")
            figures = {}
        found["left_out"] += [line for line in figures.pop("left_out", []) if line not in found["left_out"]]
        found[name] = figures
        write(found, options.out)  # what is known is kept, whatever happens next
        return figures

    compiled = part("compile", f"load the {wanted} kernels", lambda: parts.load_kernels(device))
    backend = parts.choose_backend(device)
    say(backend.why)
    if compiled and backend.name != wanted:
        found["errors"]["compile"] = backend.why
    if not found["errors"] or device.type == "cpu":
        part("agreement", "compare with the float64 reference", lambda: parts.agreement(backend, device, sizes))
        part("tests", f"run {parts.TESTS}", lambda: parts.backend_tests(sizes))
        part("fit", "fit", lambda: parts.fit_case(backend, device, sizes, absent))
        part("whole", "the whole case", lambda: parts.whole_case(device, sizes, absent, say))
        part("slabs", "slabs", lambda: parts.slabs_case(device, sizes, absent))
        report = part("bench", "measure", lambda: parts.measure(backend, device, sizes, say))
        found |= {key: report.get(key, []) for key in ("rates", "rows")}
        del found["bench"]
    found["targets"] = judge(found, timed=not options.quick)
    return found


def slug(name: str) -> str:
    """A name as a file's: small letters, digits and single dashes."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "unknown"


def write(found: dict[str, Any], folder: Path) -> Path:
    """Put the figures so far into <device>.json; those of a quick try beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{slug(found['device']['name'])}{'-quick' if found['quick'] else ''}.json"
    path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return path


if __name__ == "__main__":
    sys.exit(main())
