"""Tables of scores: Markdown for a README, CSV for everything else."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from CTSuperResolutionLib.evaluation.ct_numbers import CT_NUMBERS

Row = Mapping[str, Any]

SEEN = "†"
NOTHING = "–"

# Heading, names of the scores below it (joined by " / "), decimals, factor.
COLUMNS: tuple[tuple[str, tuple[str, ...], int, float], ...] = (
    ("SSIM 3D", ("ssim_3d",), 4, 1),
    ("SSIM axial / coronal / sagittal", ("ssim_axial", "ssim_coronal", "ssim_sagittal"), 4, 1),
    (
        "slice step error HU, axial / coronal / sagittal",
        ("slice_step_axial_hu", "slice_step_coronal_hu", "slice_step_sagittal_hu"),
        1,
        1,
    ),
    ("edge rise mm", ("edge_rise_mm",), 2, 1),
    ("edges lost %", ("edges_lost",), 0, 100),
    ("soft tissue bias / noise HU", ("bias_soft_tissue_hu", "noise_soft_tissue_hu"), 1, 1),
    ("lung bias / noise HU", ("bias_lung_hu", "noise_lung_hu"), 1, 1),
    ("bone bias / noise HU", ("bias_bone_hu", "noise_bone_hu"), 1, 1),
    ("consistency HU rms", ("consistency_rms_hu",), 2, 1),
    ("worst tissue shift HU, against scan / truth", ("worst_shift_scan_hu", "worst_shift_truth_hu"), 1, 1),
    ("LAA-950 / LAA-910 error %", ("laa_950_percent_error", "laa_910_percent_error"), 1, 1),
    ("Perc15 error HU", ("perc15_hu_error",), 1, 1),
    ("noise power / cubic's", ("noise_power_ratio",), 2, 1),
    ("seconds", ("seconds",), 1, 1),
    ("peak MB", ("peak_mb",), 0, 1),
)

# Of those columns, what can be better or worse; a bias counts by its size.
HIGHER_IS_BETTER = ("psnr_db", "ssim", *(name for heading, names, *_ in COLUMNS if "SSIM" in heading for name in names))
LOWER_IS_BETTER = tuple(
    name
    for heading, names, *_ in COLUMNS
    if "SSIM" not in heading and heading not in ("noise power / cubic's", "seconds", "peak MB")
    for name in names
)

# What every row has.
SCORES = tuple(dict.fromkeys((*HIGHER_IS_BETTER, *LOWER_IS_BETTER, "edge_rise_reference_mm", *CT_NUMBERS)))


def format_tables(report: Mapping[str, Any]) -> str:
    """The Markdown of a report.

    For every scale PSNR and SSIM by case, and the other scores averaged over cases; at the end how to read them, and
    where a method is worse than cubic.
    """
    rows = report["rows"]
    parts = []
    for scale, of_scale in _grouped(rows, "scale").items():
        title = f"{scale}×" if scale.isdecimal() else scale
        methods, cases = (list(_grouped(of_scale, name)) for name in ("method", "case"))
        parts += [_by_case(title, of_scale, methods, cases), _averaged(title, of_scale, methods)]
    return "\n".join([*parts, _notes(report, rows)])


def write_csv(rows: Sequence[Row], path: Path) -> None:
    """One line for every method on every case, with all scores; what could not be measured is left empty."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _by_case(title: str, rows: Sequence[Row], methods: Sequence[str], cases: Sequence[str]) -> str:
    found = {(row["method"], row["case"]): row for row in rows}
    lines = []
    for method in methods:
        of_method = [found[method, case] for case in cases]
        cells = [_pair((row["psnr_db"], row["ssim"])) + (f" {SEEN}" if row["seen"] else "") for row in of_method]
        lines.append([method, *cells, _pair([_mean(row[s] for row in of_method) for s in ("psnr_db", "ssim")])])
    if "cubic" in methods:
        for method in (method for method in methods if method != "cubic"):
            gains = [
                [_gain(found[method, case][score], found["cubic", case][score]) for score in ("psnr_db", "ssim")]
                for case in cases
            ]
            means = [_mean(column) for column in zip(*gains, strict=True)]
            cells = [_pair(gain, sign="+") for gain in [*gains, means]]
            lines.append([f"gain over cubic: {method}", *cells])
    return f"{title}: PSNR dB / SSIM\n\n" + _markdown(["method", *cases, "mean"], lines)


def _averaged(title: str, rows: Sequence[Row], methods: Sequence[str]) -> str:
    lines = []
    for method in methods:
        of_method = [row for row in rows if row["method"] == method]
        cells = []
        for _, names, decimals, factor in COLUMNS:
            means = [_mean(row[name] for row in of_method) for name in names]
            cells.append(" / ".join(NOTHING if m is None else f"{factor * m:.{decimals}f}" for m in means))
        lines.append([method, *cells])
    return f"{title}: means over cases\n\n" + _markdown(["method", *(heading for heading, *_ in COLUMNS)], lines)


def _notes(report: Mapping[str, Any], rows: Sequence[Row]) -> str:
    protocol = report["protocol"]
    grid = f"{protocol['iso_mm']:g} mm isotropic" if protocol["iso_mm"] else "the CT's own grid"
    noise = f", noise {protocol['noise_hu']:g} HU" if protocol["noise_hu"] else ""
    settings = "".join(f", {name}={value}" for name, value in report["settings"].items())
    crop = " x ".join(map(str, protocol["crop"]))
    lines = [
        f"References: {grid}, at most {crop} voxels (z, y, x). Scans: Gaussian blur of {protocol['blur']:g} voxels of "
        f"the reference, Lanczos-5 sampling{noise}. Preset {report['preset']}{settings}, seed {report['seed']}, "
        f"CTSuperResolution {report['versions']['CTSuperResolution']}.",
        "PSNR and SSIM on [0, 1] over [-512, 3071] HU, SSIM of axial slices.",
    ]
    sharp = _mean(row["edge_rise_reference_mm"] for row in rows)
    if sharp is not None:
        lines.append(f"Edge rise (10-90 %) of the references: {sharp:.2f} mm. Lost: less than half the contrast left.")
    used: dict[str, set[str]] = {}
    for row in rows:
        if row["prior"]:
            used.setdefault(f"{row['prior']} ({row['prior_sha256'][:8]})", set()).add(row["ct"])
    for prior, cts in used.items():
        lines.append(f"Prior {prior}: {'all CTs' if len(used) == 1 else ', '.join(sorted(cts))}.")
    if any(row["seen"] for row in rows):
        lines.append(f"{SEEN} seen: the prior was trained on this CT, so the row says nothing of new ones.")
    lines += _worse_than_cubic(rows)
    return "\n".join(f"- {line}" for line in lines) + "\n"


def _worse_than_cubic(rows: Sequence[Row]) -> list[str]:
    """A line for every method: the scores in which it is behind cubic, and on which cases where not on all."""
    cubic = {row["case"]: row for row in rows if row["method"] == "cubic"}
    lines = []
    for method, of_method in _grouped(rows, "method").items():
        if not cubic or method == "cubic":
            continue
        behind: dict[str, list[str]] = {}
        for row in of_method:
            for score in (*HIGHER_IS_BETTER, *LOWER_IS_BETTER):
                ours, theirs = row[score], cubic[row["case"]][score]
                sign = 1 if score in HIGHER_IS_BETTER else -1
                if ours is not None and theirs is not None and sign * abs(ours) < sign * abs(theirs):
                    behind.setdefault(score, []).append(row["case"])
        found = "; ".join(
            score if len(cases) == len(of_method) > 1 else f"{score} ({', '.join(cases)})"
            for score, cases in behind.items()
        )
        lines.append(f"Worse than cubic: {method}: {found or 'nothing'}.")
    return lines


def _grouped(rows: Sequence[Row], name: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[name], []).append(row)
    return groups


def _gain(ours: float | None, theirs: float | None) -> float | None:
    return None if ours is None or theirs is None else ours - theirs


def _pair(scores: Sequence[float | None], sign: str = "") -> str:
    """PSNR and SSIM."""
    parts = zip(scores, (f"{sign}.2f", f"{sign}.4f"), strict=True)
    return " / ".join(NOTHING if value is None else format(value, form) for value, form in parts)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _markdown(heading: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(heading) - 1)]
    escaped = ([cell.replace("|", r"\|") for cell in line] for line in (heading, rule, *lines))
    return "".join(f"| {' | '.join(line)} |\n" for line in escaped)
