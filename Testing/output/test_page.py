"""The page of a result, read as a browser reads it."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from CTSuperResolutionLib.degradation.simulation import degrade
from CTSuperResolutionLib.output.page import result_page
from CTSuperResolutionLib.phantom import thorax
from CTSuperResolutionLib.volume.writing import write_volume


class Page(HTMLParser):
    """The rows of a page's tables, its text, and what it refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.text, self.sources, self._cell, self.open = "", [], False, []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [value for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img"):
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._cell = True

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag in ("td", "th"):
            self._cell = False

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._cell:
            self.rows[-1][-1] += data


def test_it_says_what_the_report_says_and_refers_to_nothing_outside(run, tmp_path: Path) -> None:
    write_volume(degrade(thorax(shape=(24, 32, 40), spacing=4.0), (2, 2, 2)), tmp_path / "a <b> & c.nrrd")
    run(tmp_path / "a <b> & c.nrrd", tmp_path / "out")
    report = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))
    page = Page((tmp_path / "out" / "report.html").read_text(encoding="utf-8"))
    assert page.open == [] and "a <b> & c.nrrd" in page.text and report["note"] in page.text
    rows = {row[0]: row[1:] for row in page.rows}
    added = report["added"]["everywhere"]
    assert rows["everywhere"][:2] == [f"{added['rms_hu']:.1f}", f"{added['above_50_percent']:.1f} %"]
    assert report["prior"]["sha256"] in rows["Prior"][0]
    assert rows["Result"] == ["40 × 32 × 24 voxels of 4 × 4 × 4 mm (x, y, z)"]
    (picture,) = page.sources
    assert picture.startswith("data:image/png;base64,")


@pytest.mark.parametrize("missing", [{}, {"added": None, "tissue_shift": None, "densitometry": None, "prior": None}])
def test_what_is_not_known_is_a_dash(missing) -> None:
    page = Page(result_page({"note": "Not for diagnosis.", **missing}))
    rows = {row[0]: row[1:] for row in page.rows}
    assert rows["lung"] == ["–"] * 4 and rows["Prior"] == ["none"] and page.sources == []
