"""Reconstructions from few views in ``ctsr evaluate``."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from CTSuperResolutionLib.cli.main import main
from CTSuperResolutionLib.evaluation.sparse_view_scores import sparse_view_scores

OPTIONS = ["--iso", "0", "--crop", "16,24,24", "--beam", "parallel", "--methods", "fdk,sart", "--device", "cpu"]
OPTIONS += ["--set", "sart_sweeps=3"]


def test_few_views_are_evaluated_and_go_on_where_they_were_stopped(cts: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["evaluate", str(cts), str(out), "--sparse-views", "12,6", *OPTIONS]) == 0
    report = json.loads((out / "results.json").read_text())
    rows = {(row["method"], row["views"]): row for row in report["rows"]}
    assert set(rows) == {(method, views) for method in ("fdk", "sart") for views in (12, 6)}
    for views in (12, 6):  # what is iterated and positive is nearer than what streaks
        assert rows["sart", views]["psnr_db"] > rows["fdk", views]["psnr_db"] + 1
    assert rows["sart", 12]["psnr_db"] > rows["sart", 6]["psnr_db"]
    table = (out / "table.md").read_text()
    assert "| method | 12 views | 6 views | seconds | peak MB |" in table
    assert f"{rows['sart', 6]['psnr_db']:.2f} /" in table
    (line,) = (line for line in table.splitlines() if line.startswith("| sart "))
    seconds, peaks = ([rows["sart", n][name] for n in (12, 6)] for name in ("seconds", "peak_mb"))
    assert line.endswith(f"| {seconds[0]:.0f} / {seconds[1]:.0f} | {max(peaks):.0f} |") and min(peaks) > 50
    with (out / "results.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 4
    kept = sorted((out / "sparse-views").iterdir())
    marked = json.loads(kept[0].read_text()) | {"seconds": 77.0}
    kept[0].write_text(json.dumps(marked))
    assert main(["evaluate", str(cts), str(out), "--sparse-views", "12,6", *OPTIONS]) == 0
    assert 77.0 in [row["seconds"] for row in json.loads((out / "results.json").read_text())["rows"]]


def test_scores_are_on_the_scale_of_papers_on_few_views(volume) -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(-1200, 1500, (8, 9, 10))
    found = truth + rng.normal(0, 80, truth.shape)
    clipped = [np.clip(array, -1000, 1000) for array in (truth, found)]
    scores = sparse_view_scores(volume(found), volume(truth))
    assert scores["psnr_db"] == pytest.approx(peak_signal_noise_ratio(*clipped, data_range=2000), abs=1e-3)
    assert sparse_view_scores(volume(truth), volume(truth))["ssim_3d"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--sparse-views", "x"], "not numbers such as"),
        (["--sparse-views", "1"], "from 2 to 10000"),
        (["--sparse-views", "9", "--methods", "cubic"], "choose fdk"),
        (["--sparse-views", "9", "--scale", "4"], "--scale has no meaning"),
    ],
)
def test_what_cannot_be_evaluated_is_said_first(options, said, cts: Path, tmp_path: Path, capfd) -> None:
    assert main(["evaluate", str(cts), str(tmp_path / "out"), *options]) == 2
    assert said in capfd.readouterr().err and not (tmp_path / "out").exists()
