"""A job on a scan whose values are no HU says that the prior has never seen the like."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from CTSuperResolutionLib.job.events import Reporter
from CTSuperResolutionLib.job.job import Job
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.output.run_job import find_scan, run_job
from CTSuperResolutionLib.output.unfamiliar_scan import unfamiliar_percent
from CTSuperResolutionLib.phantom import thorax
from CTSuperResolutionLib.volume.volume import ValueScale
from CTSuperResolutionLib.volume.writing import write_volume

QUICK = {"views": 4, "residual": "grid", "grid_steps": 1}


@pytest.fixture(scope="module")
def chest():
    return thorax(shape=(16, 44, 52), spacing=4.0, seed=5)


@pytest.mark.parametrize(("sign", "noted"), [(1, False), (-1, True)], ids=["HU", "inverted"])
def test_a_job_tells_it_and_writes_it_down(chest, tmp_path, sign, noted):
    scan, told = tmp_path / "scan.nrrd", list[str]()
    write_volume(replace(chest, array=sign * chest.array), scan)
    job = Job(Method(scale="2", preset="preview", settings=QUICK), str(scan), str(tmp_path / "out"))
    run_job(job, Reporter(lambda event: told.append(event.get("message", ""))), find_scan(job), picture=False)
    report = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))
    notes = [note for note in report["notes"] if "looks like nothing that the prior has learned from" in note]
    assert (report["unfamiliar_percent"] > 10) == noted and len(notes) == noted
    assert all(note in told and note.startswith(f"{report['unfamiliar_percent']:.0f} %") for note in notes)


def test_nothing_is_said_where_nothing_is_known(chest):
    notes: list[str] = []
    other = replace(chest, value_scale=ValueScale(1.0, 0.0))
    assert unfamiliar_percent(chest, Method(settings={"null_space": 0}), notes) is None
    assert unfamiliar_percent(other, Method(), notes) is None
    assert unfamiliar_percent(chest, Method(), notes) < 5
    assert notes == []


def test_what_is_no_patient_is_said_in_its_own_words(chest):
    """An intercept that was added twice leaves no tissue, and all of it looks like air; micrometres are no mm."""

    def notes(scan) -> list[str]:
        found: list[str] = []
        unfamiliar_percent(scan, Method(), found)
        return found

    twice = replace(chest, array=np.maximum(chest.array - 1024, -1024).astype(np.float32))
    assert [note.startswith("Only 0.") for note in notes(twice)] == [True]
    assert ["finer than those of any scan" in note for note in notes(replace(chest, spacing=(0.05, 0.05, 0.05)))] == [
        True
    ]
    lung = twice.crop((slice(0, 16), slice(0, 44), slice(0, 12)))
    assert notes(lung) == []  # part of a scan may be all lung
    valid = np.ones(chest.shape, bool)
    valid[chest.array > -500] = False
    assert "Only 0.0 %" in notes(replace(chest, valid=valid))[0]


def test_a_region_is_judged_by_all_of_the_scan(chest, tmp_path):
    """Else what is said would change with the region, and of a small one there would be nothing to say."""
    scan = tmp_path / "scan.nrrd"
    write_volume(replace(chest, array=-chest.array), scan)
    method = Method(scale="2", preset="preview", settings=QUICK)
    percents = []
    for roi in (None, ((2, 14), (12, 30), (12, 30))):
        job = Job(method, str(scan), str(tmp_path / "out"), roi=roi)
        found = run_job(job, Reporter(lambda event: None), find_scan(job), picture=False)
        percents.append(found["report"]["unfamiliar_percent"])
    assert percents[0] == percents[1] > 10 and np.isfinite(percents[0])
