"""A job in slabs: the same result whatever the budget, no seams, and a killed one goes on where it was."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from CTSuperResolutionLib.degradation.simulation import degrade
from CTSuperResolutionLib.errors import Cancelled
from CTSuperResolutionLib.job.events import Reporter
from CTSuperResolutionLib.job.job import Job
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.output.run_job import run_job
from CTSuperResolutionLib.output.slab_store import PREFIX, StoredArray
from CTSuperResolutionLib.phantom import thorax
from CTSuperResolutionLib.planning.slabs import plan_slabs
from CTSuperResolutionLib.volume.reading import open_scan
from CTSuperResolutionLib.volume.writing import write_volume

SHAPE = (80, 20, 20)  # of voxels of 6 mm
QUICK = {"views": 8, "residual": "grid", "grid_steps": 1, "psf": "lanczos"}
FILES = ["compare.png", "cubic.nrrd", "measured.nrrd", "report.html", "result.json", "sr.nrrd"]
METHOD = Method("2", "preview", QUICK, device="cpu")


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A long chest with a circular field of view."""
    path = tmp_path_factory.mktemp("scan") / "scan.nrrd"
    made = degrade(thorax(shape=tuple(2 * n for n in SHAPE), spacing=3.0), (2, 2, 2), blur=0.5, noise_hu=5, seed=1)
    y, x = np.ogrid[: SHAPE[1], : SHAPE[2]]
    made.array[:, (y - 9.5) ** 2 + (x - 9.5) ** 2 > 10.5**2] = -3024
    write_volume(made, path)
    return path


def budgets() -> dict[int, str]:
    """A budget for every number of slabs that there can be."""
    target = METHOD.target_grid(SHAPE, (6.0, 6.0, 6.0))
    found: dict[int, str] = {}
    budget: int | None = 1 << 40
    while budget is not None and (plan := plan_slabs(METHOD.parameters, target, budget)) is not None:
        found.setdefault(len(plan.slabs), f"{plan.memory / 1e6 + 0.001:.3f}MB")
        budget = plan.memory - 2000
    return found


def run(
    scan: Path,
    out: Path,
    memory: str | None,
    write: Callable[[dict], None] = lambda event: None,
    method: Method = METHOD,
    **more,
) -> dict:
    progress = Reporter(write, memory=lambda: {"memory_mb": 1.0, "peak_mb": 1.0})
    run_job(Job(method, str(scan), str(out), memory=memory, **more), progress, lambda folder: open_scan(scan))
    return json.loads((out / "result.json").read_text(encoding="utf-8"))


def test_the_result_does_not_depend_on_the_budget(scan: Path, hu, tmp_path: Path) -> None:
    """Nowhere by more than 1 HU; and the step across a slab's border is that of the slices around it."""
    results, reports = {}, {}
    for count, memory in budgets().items():
        reports[count] = run(scan, tmp_path / str(count), memory)
        assert reports[count]["slabs"] == count
        assert sorted(path.name for path in (tmp_path / str(count)).iterdir()) == FILES
        results[count] = hu(tmp_path / str(count) / "sr.nrrd")
        cubic = hu(tmp_path / str(count) / "cubic.nrrd") - hu(tmp_path / "1" / "cubic.nrrd")
        assert abs(cubic).max() <= 1
    assert len(results) >= 4
    whole = results[1]
    for count, result in results.items():
        assert abs(result - whole).max() <= 1
        steps, expected = (abs(np.diff(volume, axis=0)).mean((1, 2)) for volume in (result, whole))
        assert np.allclose(steps, expected, rtol=0.01, atol=0.1)
        same = ("noise", "acquisition", "voxels", "output", "input", "device")
        assert all(reports[count][name] == reports[1][name] for name in same)
        for kind in ("sr", "cubic"):
            shift, consistency = (reports[count][name][kind] for name in ("tissue_shift", "consistency"))
            assert shift == pytest.approx(reports[1]["tissue_shift"][kind], abs=0.06)
            assert consistency["rms_hu"] == pytest.approx(reports[1]["consistency"][kind]["rms_hu"], abs=0.06)
            assert consistency["max_hu"] == pytest.approx(reports[1]["consistency"][kind]["max_hu"], abs=1)


@pytest.mark.parametrize(("psf", "width"), [("box", 6.0), ("triangle", 6.6)])
def test_what_reaches_less_far_needs_fewer_slabs(scan: Path, hu, tmp_path: Path, psf: str, width: float) -> None:
    """A margin as wide as the scan's point-spread function asks for: nothing is off by more than 1 HU with it."""
    method = Method("2", "preview", {**QUICK, "psf": psf, "slice_width": width, "pixel_width": width}, device="cpu")
    most, memory = list(budgets().items())[-2]
    run(scan, tmp_path / "whole", "1000GB", method=method)
    fewer = run(scan, tmp_path / "slabs", memory, method=method)
    assert 1 < fewer["slabs"] < most
    difference = hu(tmp_path / "slabs" / "sr.nrrd") - hu(tmp_path / "whole" / "sr.nrrd")
    assert abs(difference).max() <= 1


def test_a_region_is_cut_like_the_scan(scan: Path, hu, tmp_path: Path) -> None:
    roi = ((5, 77), (0, 16), (2, 20))
    whole = run(scan, tmp_path / "whole", "1000GB", roi=roi)
    least = list(budgets().values())[-1]
    slabs = run(scan, tmp_path / "slabs", least, roi=roi)
    assert whole["slabs"] == 1 < slabs["slabs"] and slabs["output"] == whole["output"]
    difference = hu(tmp_path / "slabs" / "sr.nrrd") - hu(tmp_path / "whole" / "sr.nrrd")
    assert difference.shape == (144, 32, 36) and abs(difference).max() <= 1


def slabs_in(out: Path) -> list[Path]:
    return sorted(out.glob(f"{PREFIX}*/slab-*"))


@pytest.mark.slow
def test_a_killed_job_goes_on_to_the_same_bytes(scan: Path, tmp_path: Path) -> None:
    memory = list(budgets().values())[-1]
    count = run(scan, tmp_path / "unbroken", memory)["slabs"]
    out = tmp_path / "out"
    job = Job(METHOD, str(scan), str(out), memory=memory)
    (tmp_path / "job.json").write_text(job.to_json(), encoding="utf-8")
    command = [sys.executable, "-m", "CTSuperResolutionLib", "run", "--job", str(tmp_path / "job.json")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not slabs_in(out) and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = len(slabs_in(out))
    assert 0 < kept < count
    (folder,) = out.glob(f"{PREFIX}*")
    assert folder.stat().st_mode & 0o777 == 0o700
    for name, fresh, slabs in (("more", False, count), ("fresh", True, 1)):  # with memory for all of it at once
        shutil.copytree(out, tmp_path / name, ignore=shutil.ignore_patterns(".ctsr-[0-9a-f]*"))
        assert run(scan, tmp_path / name, "1000GB", fresh=fresh)["slabs"] == slabs
        assert sorted(path.name for path in (tmp_path / name).iterdir()) == FILES
    notes = []
    run(scan, out, memory, lambda event: notes.append(event.get("message", "")))
    assert any(f"left {kept} of {count} slabs" in note for note in notes)
    assert sorted(path.name for path in out.iterdir()) == FILES
    for name in FILES[1:3] + FILES[-1:]:
        ours, theirs = ((tmp_path / place / name).read_bytes() for place in ("out", "unbroken"))
        assert ours.partition(b"\n\n")[2] == theirs.partition(b"\n\n")[2]  # the headers have other folders' jobs


class Stop(Exception):
    """Ends a run as an internal error would."""


@pytest.mark.parametrize("error", [Cancelled("Cancelled."), Stop()])
def test_what_ends_a_job_otherwise_leaves_nothing(scan: Path, tmp_path: Path, error: Exception) -> None:
    out = tmp_path / "out"

    def write(event: dict) -> None:
        if slabs_in(out):
            raise error

    with pytest.raises(type(error)):
        run(scan, out, list(budgets().values())[-1], write)
    assert not out.exists()


def test_another_job_or_a_fresh_start_takes_nothing_from_slabs_that_are_there(scan: Path, tmp_path: Path) -> None:
    out, memory = tmp_path / "out", list(budgets().values())[-1]
    (out / f"{PREFIX}0123456789abcdef" / "slab-0000").mkdir(parents=True)
    assert run(scan, out, memory)["slabs"] > 1
    assert list(out.glob(f"{PREFIX}*")) == []
    notes: list[str] = []
    run(scan, out, memory, lambda event: notes.append(event.get("message", "")), fresh=True)
    assert not any("left" in note for note in notes)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_stored_array_is_read_as_one_in_memory(axis: int, tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(-1000, 1000, (7, 6, 5)).astype(np.int16)
    pieces = np.split(array, [2, 3], axis)
    files = [tmp_path / f"{k}.npy" for k in range(len(pieces))]
    for file, piece in zip(files, pieces, strict=True):
        np.save(file, piece)
    stored = StoredArray(files, axis)
    assert stored.shape == array.shape and len(stored) == 7 and stored.dtype == np.float32
    keys = [2, -1, slice(1, 4), (slice(None), 3), (slice(None), slice(1, 5), 4), (6, slice(0, 2)), (1, 2, 3)]
    for key in keys:
        assert np.array_equal(stored[key], array[key]), key
    assert np.array_equal(np.asarray(stored), array)
    assert all(np.array_equal(one, other) for one, other in zip(stored, array, strict=True))
