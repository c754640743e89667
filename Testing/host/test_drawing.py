"""Views drawn by VTK with Slicer's displayable managers, in a process of their own: it needs OpenGL."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from slicer_host import opengl

TESTING = Path(__file__).resolve().parents[1]

DRAW = """
from slicer_host.host import start
start(draw=True)
import numpy as np, slicer
volume = slicer.util.addVolumeFromArray(np.full((20, 40, 40), 100, np.int16), name="CT")
slicer.util.setSliceViewerLayers(background=volume, fit=True)
line = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", "Profile")
line.AddControlPoint(10, 10, 10)
line.AddControlPoint(30, 30, 10)
line.GetDisplayNode().SetSelectedColor(0, 1, 0)
view = slicer.app.layoutManager().sliceWidget("Red").sliceView()
picture = view.grab().toImage()
x, y, _ = view.convertRASToXYZ([15, 15, 10])
column, row = round(x), picture.height() - 1 - round(y)
seen = [picture.pixelColor(column + i, row + j) for i in range(-3, 4) for j in range(-3, 4)]
print(any(color.green() > 150 and color.red() < 100 for color in seen))
"""


@pytest.mark.slow
def test_markups_are_drawn_over_the_slice():
    if problem := opengl.missing():
        pytest.skip(problem)
    done = subprocess.run([sys.executable, "-c", DRAW], cwd=TESTING, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "True"
