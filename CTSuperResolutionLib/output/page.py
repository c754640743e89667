"""Page of a result: one printable sheet of HTML that says what was done, what came of it and how far to believe it.

Standard library only, and nothing outside the file is referred to: the picture is in it.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

STYLE = """
@page { size: A4; margin: 12mm }
body { font: 9.5pt/1.35 sans-serif; color: #111; max-width: 190mm; margin: 0 auto }
h1 { font-size: 14pt; margin: 0 } h2 { font-size: 10.5pt; margin: 3mm 0 1mm }
p { margin: 1mm 0 } .warning { border: 1.5px solid #b00; padding: 1mm 2mm; font-weight: bold }
table { border-collapse: collapse; width: 100% } td, th { padding: .4mm 1.5mm; border-bottom: .5px solid #bbb }
th { text-align: left; font-weight: 600 } td + td, th + th { text-align: right }
table.facts td + td { text-align: left; overflow-wrap: anywhere } img { max-width: 100%; max-height: 115mm }
"""

TISSUES = {
    "air": "air", "lung": "lung", "fat": "fat", "soft_tissue": "soft tissue", "bone": "bone", "borders": "borders",
    "everywhere": "everywhere",
}  # fmt: skip
NOTHING = "–"


def result_page(report: Mapping[str, Any], picture: bytes | None = None) -> str:
    """The page as the text of an HTML file.

    Args:
        report: of the job, as it stands in result.json; what it does not hold is left out or shown as a dash.
        picture: a PNG to show, such as compare.png.
    """
    parts = [
        f"<h1>CT super-resolution of {_text(report.get('job', {}).get('input', 'a scan'))}</h1>",
        f'<p class="warning">{_text(report.get("note", ""))}</p>',
        _facts(report),
        "<h2>What was measured, and what was added</h2>",
        _tissues(report),
        "<p>Added is the result less what the scan alone supports: the scanner does not see it, so that no comparison "
        "with the scan can confirm it. Shift is the mean difference of the degraded result from the scan.</p>",
        _interval(report),
        _quantities(report),
    ]
    if report.get("notes"):
        parts += ["<h2>Notes</h2>", *(f"<p>{_text(note)}</p>" for note in report["notes"])]
    if picture is not None:
        data = base64.b64encode(picture).decode("ascii")
        parts.append(f'<h2>Middle planes</h2><img alt="comparison" src="data:image/png;base64,{data}">')
    body = "\n".join(part for part in parts if part)
    head = f'<meta charset="utf-8"><title>CT super-resolution</title><style>{STYLE}</style>'
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head><body>\n{body}\n</body></html>\n'


def _facts(report: Mapping[str, Any]) -> str:
    """How it was made."""
    job, prior, versions = (report.get(name) or {} for name in ("job", "prior", "versions"))
    acquisition = report.get("acquisition") or {}
    profiles = ", ".join(
        f"{axis}: {found.get('family', NOTHING)}"
        + (f" of {found['fwhm_mm']:g} mm" if found.get("fwhm_mm") else "")
        + f" ({found.get('source', NOTHING)})"
        for axis, found in acquisition.items()
    )
    consistency = {name: (found or {}).get("rms_hu") for name, found in (report.get("consistency") or {}).items()}
    rows = {
        "Scan": _grid(report.get("input")),
        "Result": _grid(report.get("output")),
        "Method": f"preset {job.get('preset', NOTHING)}, seed {report.get('seed', NOTHING)}, "
        f"settings {dict(job.get('settings') or {}) or 'as the preset'}, on {report.get('device', NOTHING)}",
        "Prior": f"{prior['name']}, sha256 {prior.get('sha256', NOTHING)}" if prior.get("name") else "none",
        "Point-spread function": profiles or NOTHING,
        "Noise of the scan": f"{(report.get('noise') or {}).get('hu', NOTHING)} HU",
        "Degraded again, differs from the scan by": "; ".join(
            f"{name} {NOTHING if rms is None else f'{rms:.1f}'} HU rms" for name, rms in consistency.items()
        ),
        "Made by": ", ".join(f"{name} {version}" for name, version in versions.items()),
    }
    return _table([], rows.items(), "facts")


def _tissues(report: Mapping[str, Any]) -> str:
    """By tissue."""
    added, shift = report.get("added") or {}, (report.get("tissue_shift") or {}).get("sr") or {}
    heads = ["Tissue of the scan", "added, HU rms", "voxels above 50 HU", "above 150 HU", "shift, HU"]
    rows = []
    for key, name in TISSUES.items():
        size = added.get(key) or {}
        row = [_number(size.get("rms_hu"), ".1f")]
        row += [_number(size.get(f"above_{level}_percent"), ".1f", " %") for level in (50, 150)]
        rows.append((name, *row, _number(shift.get(key), "+.2f")))
    return _table(heads, rows)


def _interval(report: Mapping[str, Any]) -> str:
    """How large the error may be, where that was found out."""
    found = report.get("error_interval")
    if not found:
        return ""
    rows = []
    for key, name in TISSUES.items():
        own = found["by_tissue"].get(key) or {}
        width, masked = own.get("mean_half_width_hu"), own.get("above_150_percent")
        rows.append((name, _number(width, ".0f", " HU"), _number(masked, ".1f", " %")))
    return (
        "<h2>How far to believe it</h2>"
        + _table(["Tissue of the scan", "nine of ten voxels are within ±, mean", "voxels of more than ±150 HU"], rows)
        + f"<p>By a test within this scan's own slices, where the finer truth was measured{_nearer(found)}. Within are "
        "slices as thin as the result's of the same scanner and dose, with their noise; what never shows in thick "
        "slices is not foreseen.</p>"
    )


def _nearer(found: Mapping[str, Any]) -> str:
    """What the method gained in the test of the scan; nothing of results of earlier versions."""
    gain = found.get("test_gain_db")
    return "" if gain is None else f": the result was {gain:.1f} dB nearer to it than cubic upsampling"


def _quantities(report: Mapping[str, Any]) -> str:
    """Lung densitometry and noise, where there are any."""
    parts = []
    density = report.get("densitometry")
    if density:
        names = [name for name in ("scan", "cubic", "sr") if density.get(name)]
        heads = [f"Lung, {density['lung_ml']:.0f} ml", "below −950 HU", "below −910 HU", "15th percentile, HU"]
        rows = [
            (
                name,
                _number(density[name]["laa_950_percent"], ".1f", " %"),
                _number(density[name]["laa_910_percent"], ".1f", " %"),
                _number(density[name]["perc15_hu"], ".0f"),
            )
            for name in names
        ]
        parts.append(_table(heads, rows))
    noise = report.get("noise_power")
    if noise:
        found = ", ".join(f"{name} {hu:.1f} HU" for name, hu in noise["noise_hu"].items())
        parts.append(f"<p>Noise in {noise['regions']} flat regions: {_text(found)}.</p>")
    return "".join(["<h2>Densitometry and noise</h2>", *parts]) if parts else ""


def _grid(grid: Mapping[str, Any] | None) -> str:
    if not grid:
        return NOTHING
    voxels, spacing = reversed(grid["shape"]), reversed(grid["spacing_mm"])
    return f"{' × '.join(map(str, voxels))} voxels of {' × '.join(f'{d:.4g}' for d in spacing)} mm (x, y, z)"


def _number(value: float | None, form: str, unit: str = "") -> str:
    return NOTHING if value is None else f"{value:{form}}{unit}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    lines = ["".join(f"<td>{_text(cell)}</td>" for cell in row) for row in rows]
    head = f"<tr>{''.join(f'<th>{_text(cell)}</th>' for cell in heads)}</tr>" if heads else ""
    return f'<table class="{kind}">{head}{"".join(f"<tr>{line}</tr>" for line in lines)}</table>'


def _text(value: object) -> str:
    return html.escape(str(value))
