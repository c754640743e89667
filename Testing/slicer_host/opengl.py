"""A check that VTK can draw on this computer without a screen."""

from __future__ import annotations

import subprocess
import sys

PROBE = """
import os, sys
if sys.platform == "linux":
    os.environ["VTK_DEFAULT_OPENGL_WINDOW"] = "vtkEGLRenderWindow"
import vtk
window = vtk.vtkRenderWindow()
window.SetOffScreenRendering(True)
window.Render()
assert window.SupportsOpenGL()
"""


def missing() -> str | None:
    """Draw nothing in a process of its own, which may crash; returns a sentence where that does not work."""
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, timeout=120, check=False)
    if done.returncode == 0:
        return None
    if sys.platform == "linux":
        return "VTK cannot draw without a screen here; install EGL with a driver (libegl1 and libegl-mesa0 in Debian)."
    return "VTK cannot draw here; it needs OpenGL 3.2."
