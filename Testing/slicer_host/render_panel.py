#!/usr/bin/env python3
"""Draws the module's panel in the test host into a file: python Testing/slicer_host/render_panel.py panel.png"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main(target: str, width: int = 1280, height: int = 1000) -> int:
    """Load the module, show it and save the main window's picture."""
    sys.path.insert(0, str(ROOT / "Testing"))
    from slicer_host import opengl
    from slicer_host.host import start

    if problem := opengl.missing():
        print(problem, file=sys.stderr)
        return 1
    host = start(draw=True)
    import slicer

    host.modules.load(str(ROOT / "CTSuperResolution" / "CTSuperResolution.py"))
    slicer.util.selectModule("CTSuperResolution")
    window = slicer.util.mainWindow()
    window.resize(width, height)
    slicer.app.processEvents()
    return 0 if window.grab().save(target) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *[int(size) for size in sys.argv[2:]]))
