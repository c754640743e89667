"""Studio: a module at work in the test host's window, of which pictures are taken."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SIZE, SMALL = (1440, 960), (1280, 800)
"""Of the window, pixels: usual, and as on a small laptop."""

JOB_SECONDS = 300


class Studio:
    """A module of CTSuperResolution, loaded from its file and shown.

    Args:
        module: its name. folder: where its pictures go. size: of the window, pixels.

    Attributes:
        widget: the Python object of the module's panel; ``ui`` and ``panel`` are its own.
    """

    def __init__(self, module: str, folder: Path, size: tuple[int, int]) -> None:
        from slicer_host.host import start

        host = start(draw=True)
        import qt
        import slicer

        self._folder, self._qt, self.slicer = folder, qt, slicer
        self._window = slicer.util.mainWindow()
        self._window.resize(*size)
        host.modules.load(str(ROOT / "CTSuperResolution" / f"{module}.py"))
        slicer.util.selectModule(module)
        self.widget = slicer.util.getModuleWidget(module)
        self.panel, self.ui = self.widget.panel, self.widget.ui

    def rest(self, seconds: float) -> None:
        """Let the window work."""
        loop = self._qt.QEventLoop()
        self._qt.QTimer.singleShot(round(1000 * seconds), loop.quit)
        loop.exec_()

    def wait(self, condition: Callable[[], Any], what: str) -> None:
        """Let the window work until something is so.

        Raises:
            SystemExit: it never is.
        """
        end = time.monotonic() + JOB_SECONDS
        while not condition():
            if time.monotonic() > end:
                sys.exit(f"{what} did not come")
            self.rest(0.02)

    def children(self, widget: Any) -> Any:
        """The widgets in another one, by name."""
        return self.slicer.util.childWidgetVariables(widget)

    def take(self, name: str) -> None:
        """Save the window's picture."""
        self.rest(0.6)
        path = self._folder / f"{name}.png"
        self._window.grab().save(str(path))
        make_small(path)
        print(path, flush=True)


def make_small(path: Path) -> None:
    """Rewrite a picture with a palette: half of it grey, for most of CT is, the other half the picture's colours."""
    from PIL import Image

    with Image.open(path) as file:
        picture = file.convert("RGB")
    grey = [value for level in range(128) for value in 3 * [round(level * 255 / 127)]]
    coloured = picture.quantize(128, Image.Quantize.MAXCOVERAGE)
    palette = Image.new("P", (1, 1))
    palette.putpalette(grey + coloured.getpalette()[: 3 * 128])
    picture.quantize(palette=palette, dither=Image.Dither.NONE).save(path, optimize=True)
