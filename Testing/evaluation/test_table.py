"""Tables of rows that were made by hand."""

from __future__ import annotations

import csv

import pytest

from CTSuperResolutionLib.evaluation.ct_numbers import CT_NUMBERS
from CTSuperResolutionLib.evaluation.metrics import PLANES
from CTSuperResolutionLib.evaluation.table import format_tables, write_csv
from CTSuperResolutionLib.evaluation.tissues import TISSUES

SCORES = ["ssim_3d", *(f"ssim_{p}" for p in PLANES), *(f"slice_step_{p}_hu" for p in PLANES)]
SCORES += ["edge_rise_mm", "edge_rise_reference_mm", "edges_lost", "consistency_rms_hu"]
SCORES += [f"{kind}_{t}_hu" for t in TISSUES for kind in ("bias", "noise")]
SCORES += CT_NUMBERS


def _row(case, method, psnr, ssim, prior=None, seen=False, **scores):
    ct = case.rsplit("-", 1)[0]
    row = {"case": case, "ct": ct, "scale": "4", "method": method, "prior": prior}
    row |= {"prior_sha256": prior and "0123456789ab", "seen": seen, "psnr_db": psnr, "ssim": ssim}
    return row | dict.fromkeys(SCORES, 1.0) | scores | {"seconds": 3.0, "peak_mb": 500.0, "gpu_peak_mb": None}


@pytest.fixture
def report():
    rows = [
        _row("knee-4", "cubic", 30.0, 0.9, edge_rise_mm=4.0),
        _row("knee-4", "nab-gs", 31.0, 0.91, "small", bias_lung_hu=None, edge_rise_mm=3.0),
        _row("leg-4", "cubic", 20.0, 0.8, edge_rise_mm=5.0),
        _row("leg-4", "nab-gs", 20.5, 0.79, "other", True, bias_lung_hu=-12.0, edge_rise_mm=None),
    ]
    return {
        "rows": rows,
        "protocol": {"iso_mm": 1.0, "crop": (128, 192, 192), "blur": 1.0, "noise_hu": 0.0},
        "settings": {"views": 9},
        "preset": "balanced",
        "seed": 0,
        "versions": {"CTSuperResolution": "0"},
    }


def test_the_tables_say_what_the_rows_do(report):
    text = format_tables(report)
    lines = text.splitlines()
    assert "| method | knee-4 | leg-4 | mean |" in lines
    assert "| cubic | 30.00 / 0.9000 | 20.00 / 0.8000 | 25.00 / 0.8500 |" in lines
    assert "| nab-gs | 31.00 / 0.9100 | 20.50 / 0.7900 † | 25.75 / 0.8500 |" in lines
    assert "| gain over cubic: nab-gs | +1.00 / +0.0100 | +0.50 / -0.0100 | +0.75 / +0.0000 |" in lines
    assert "† seen: the prior was trained on this CT" in text
    assert "Prior small (01234567): knee." in text and "Prior other (01234567): leg." in text
    assert "views=9" in text
    # A bias of -12 is larger than one of 1; what was not measured is no worse.
    assert "Worse than cubic: nab-gs: ssim (leg-4); bias_lung_hu (leg-4)." in text
    # Every table of Markdown has as many cells in every line as in its heading.
    tables = [line for line in lines if line.startswith("|")]
    second = tables.index(next(line for line in tables if "SSIM 3D" in line))
    for table in (tables[:second], tables[second:]):
        assert len({line.count("|") for line in table}) == 1
    heading = [cell.strip() for cell in tables[second].split("|")]
    cells = [cell.strip() for cell in tables[-1].split("|")]
    found = dict(zip(heading, cells, strict=True))
    assert found["edge rise mm"] == "3.00" and found["lung bias / noise HU"] == "-12.0 / 1.0"
    assert found["edges lost %"] == "100"
    assert found["worst tissue shift HU, against scan / truth"] == "1.0 / 1.0"
    assert found["LAA-950 / LAA-910 error %"] == "1.0 / 1.0" and found["Perc15 error HU"] == "1.0"
    assert found["noise power / cubic's"] == "1.00"


def test_a_noise_power_beyond_cubic_s_is_no_fault_and_a_shift_is(report):
    """What is sharper than cubic has more noise, as the truth has."""
    report["rows"][1] |= {"noise_power_ratio": 9.0, "worst_shift_truth_hu": 3.0, "perc15_hu_error": -4.0}
    (line,) = [line for line in format_tables(report).splitlines() if "Worse than cubic" in line]
    assert "worst_shift_truth_hu (knee-4)" in line and "perc15_hu_error (knee-4)" in line
    assert "noise_power" not in line


def test_every_scale_has_its_own_means(report):
    others = [dict(row, case=row["case"][:-1] + "8", scale="8", psnr_db=row["psnr_db"] - 5) for row in report["rows"]]
    lines = format_tables(report | {"rows": report["rows"] + others}).splitlines()
    assert "4×: PSNR dB / SSIM" in lines and "8×: PSNR dB / SSIM" in lines
    assert "| method | knee-8 | leg-8 | mean |" in lines
    assert "| cubic | 25.00 / 0.9000 | 15.00 / 0.8000 | 20.00 / 0.8500 |" in lines


def test_what_was_not_measured_or_not_run(report):
    report["rows"] = [dict(row, bias_bone_hu=None) for row in report["rows"] if row["method"] == "nab-gs"]
    text = format_tables(report)
    assert "gain over cubic" not in text and "– / 1.0" in text


def test_without_a_psnr_there_is_a_dash_and_no_part_in_means(report):
    report["rows"][1]["psnr_db"] = None
    lines = format_tables(report).splitlines()
    assert "| nab-gs | – / 0.9100 | 20.50 / 0.7900 † | 20.50 / 0.8500 |" in lines
    assert "| gain over cubic: nab-gs | – / +0.0100 | +0.50 / -0.0100 | +0.50 / +0.0000 |" in lines
    report["rows"][3]["psnr_db"] = None
    assert "| nab-gs | – / 0.9100 | – / 0.7900 † | – / 0.8500 |" in format_tables(report).splitlines()


def test_a_bar_in_a_name_starts_no_cell(report):
    report["rows"] = [dict(row, case=row["case"].replace("knee", "kn|ee")) for row in report["rows"]]
    assert r"| method | kn\|ee-4 | leg-4 | mean |" in format_tables(report).splitlines()


def test_csv_has_every_score(report, tmp_path):
    write_csv(report["rows"], tmp_path / "results.csv")
    with (tmp_path / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4 and set(SCORES) <= set(rows[0])
    assert rows[1]["bias_lung_hu"] == "" and float(rows[3]["psnr_db"]) == 20.5
