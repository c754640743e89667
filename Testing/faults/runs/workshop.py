"""Workshop: a tiny scan, an untrained prior, and private folders in which runs leave something or nothing."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from runs.fault import Before

ROOT = Path(__file__).resolve().parents[3]
INJECTED = ROOT / "Testing" / "faults" / "injected"
RESULTS = ("sr.nrrd", "cubic.nrrd", "measured.nrrd", "compare.png", "report.html", "result.json")
QUICK = ["--preset", "preview", "--scale", "2", "--device", "cpu"]
for setting in ("views=6", "iterations=3", "ddim_steps=1", "gaussians=500", "max_gaussians=1000"):
    QUICK += ["--set", setting]

MATERIALS = """
import sys, torch
from CTSuperResolutionLib.diffusion.networks.residual_denoiser import ResidualDenoiser
from CTSuperResolutionLib.diffusion.prior import save_prior
from CTSuperResolutionLib.phantom import thorax
from CTSuperResolutionLib.volume.writing import write_volume

write_volume(thorax(shape=(10, 12, 16), spacing=6.0), sys.argv[1])
torch.manual_seed(0)
save_prior(ResidualDenoiser(channels=8, blocks=1), sys.argv[2], card={})
"""

Files = Mapping[str, bytes | None]
"""Files and folders of a tree by their paths in it; None for a folder."""


class Workshop:
    """A folder with a scan, a prior and a home, in which every run gets a place of its own.

    Args:
        folder: an empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scan, self.prior, self.home = folder / "scan.nrrd", folder / "prior", folder / "home"
        self.home.mkdir(mode=0o700)

    @property
    def materials(self) -> list[str]:
        """The command that makes the scan and the prior."""
        return [sys.executable, "-c", MATERIALS, str(self.scan), str(self.prior)]

    def arguments(self, out: Path, *, json: bool, seed: int = 0) -> list[str]:
        """Arguments of a tiny ``ctsr run``."""
        options = [*QUICK, "--prior", str(self.prior), "--seed", str(seed), "--events", "json" if json else "text"]
        return ["run", str(self.scan), str(out), *options]

    def environment(self, temporary: Path) -> dict[str, str]:
        """The environment of a run whose temporary files go there."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CTSR_", "PYTEST", "XDG_"))}
        path = os.pathsep.join(map(str, (INJECTED, ROOT)))
        threads = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
        own = {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(self.home), "TMPDIR": str(temporary)}
        return kept | threads | own

    def place(self, name: str, before: Before) -> Place:
        """A place for a run, its output folder in the state ``before``."""
        return Place(self.folder / name, before)


class Place:
    """Where one run works: its temporary files in one folder, its results in another.

    Args:
        folder: made here.
        before: what the output folder is.
    """

    def __init__(self, folder: Path, before: Before) -> None:
        self.folder, self.temporary, self.results = folder, folder / "tmp", folder / "results"
        self.temporary.mkdir(parents=True, mode=0o700)
        self.results.mkdir()
        self.out = self.results / "of" / "today" if before == "missing" else self.results / "today"
        if before != "missing":
            self.out.mkdir()
        if before == "earlier":
            for name in (*RESULTS, "uncertainty.nrrd", "notes.txt"):
                (self.out / name).write_bytes(f"earlier {name}".encode())
            listed = {"files": [*RESULTS, "uncertainty.nrrd"]}
            (self.out / "result.json").write_text(json.dumps(listed), encoding="utf-8")
        self.before = files_in(self.results)


def files_in(folder: Path) -> Files:
    """All that is in a folder and below it."""
    found = sorted(folder.rglob("*"))
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in found}
