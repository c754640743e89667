"""The command that takes pictures of the panel; the whole of it takes a minute, so only its beginning is run here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import screenshots
from PIL import Image
from slicer_host import opengl
from studio import make_small

FIRST = """
import sys
from pathlib import Path
import screenshots
studio = screenshots.PanelStudio(Path(sys.argv[1]), screenshots.SIZE)
screenshots.load(studio)
studio.take("panel-run")
print(studio.ui.estimateLabel.text)
"""


@pytest.mark.slow
def test_the_first_picture_shows_the_panel_and_the_phantom(tmp_path):
    if problem := opengl.missing():
        pytest.skip(problem)
    done = subprocess.run(
        [sys.executable, "-c", FIRST, str(tmp_path)],
        cwd=Path(screenshots.__file__).parent,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "192 × 192 × 128" in done.stdout.replace("\N{NO-BREAK SPACE}", " ")
    with Image.open(tmp_path / "panel-run.png") as picture:
        assert picture.size == screenshots.SIZE
        pixels = np.asarray(picture.convert("RGB"))
    views = pixels[100:400, 500:900]
    assert (views.min(axis=-1) > 240).any() and (views.max(axis=-1) < 20).any()  # bone and air


def test_a_small_picture_keeps_greys_and_a_few_bright_colours(tmp_path):
    rows = np.linspace(0, 255, 200).astype(np.uint8)
    pixels = np.repeat(np.repeat(rows[:, None, None], 200, axis=1), 3, axis=2)
    pixels[:4, :4] = 220, 60, 40
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    make_small(tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as picture:
        assert picture.mode == "P"
        found = np.asarray(picture.convert("RGB")).astype(int)
    assert np.abs(found - pixels).max() <= 6


def test_without_opengl_one_sentence_says_what_is_missing(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(sys, "argv", ["screenshots.py", str(tmp_path / "pictures")])
    monkeypatch.setattr(opengl, "PROBE", "raise SystemExit(1)")
    assert screenshots.main() == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "VTK cannot draw" in said and not (tmp_path / "pictures").exists()
