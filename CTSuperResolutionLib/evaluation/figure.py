"""Figure of a case: the same part of every result, and below it the error."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from CTSuperResolutionLib.output.comparison_figure import DISCLAIMER, DPI, LEVEL, WINDOW

COLUMN, EDGE, BAR = 2.0, 0.25, 0.9  # inches: a panel, the border, and the colour bar with its labels
BOUND_HU = 300.0  # of the error's colours


def case_figure(
    reference: np.ndarray,
    results: Mapping[str, np.ndarray],
    spacing: tuple[float, float, float],
    path: str | os.PathLike,
    *,
    title: str,
) -> None:
    """Draw one row of parts and one of errors.

    Args:
        reference: part of a coronal slice, (z, x), HU; z upwards.
        results: the same part by the name of the method.
        spacing: of the volume, mm, (z, y, x).
        path: the PNG to write.
        title: one line above.
    """
    panels = {"HR": reference, **results}
    aspect = spacing[0] / spacing[2]
    high = COLUMN * aspect * reference.shape[0] / reference.shape[1]
    size = (2 * EDGE + COLUMN * len(panels) + BAR, 1.5 * EDGE + 2 * high + 0.6)
    figure = Figure(figsize=size, dpi=DPI, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    window, shades = Normalize(LEVEL - WINDOW / 2, LEVEL + WINDOW / 2), Normalize(-BOUND_HU, BOUND_HU)

    def place(left: float, bottom: float, wide: float, tall: float) -> tuple[float, float, float, float]:
        return left / size[0], bottom / size[1], wide / size[0], tall / size[1]

    for column, (name, part) in enumerate(panels.items()):
        left = EDGE + COLUMN * column
        shown: dict[str, Any] = {"origin": "lower", "aspect": aspect, "interpolation": "nearest"}
        axes = figure.add_axes(place(left, 1.5 * EDGE + high, COLUMN * 0.97, high * 0.97))
        axes.imshow(part, cmap="gray", norm=window, **shown)
        axes.set_title(name, fontsize=9, parse_math=False)
        axes.set_axis_off()
        if column:
            below = figure.add_axes(place(left, 1.2 * EDGE, COLUMN * 0.97, high * 0.97))
            below.imshow(part - reference, cmap="RdBu_r", norm=shades, **shown)
            below.set_axis_off()
    bar_axes = figure.add_axes(place(EDGE + COLUMN * len(panels), 1.2 * EDGE, 0.12, high * 0.97))
    bar = figure.colorbar(ScalarMappable(shades, "RdBu_r"), cax=bar_axes, extend="both")
    bar.set_label("result - HR, HU", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    text: dict[str, Any] = {"fontsize": 11, "parse_math": False, "weight": "bold", "va": "top"}
    figure.text(EDGE / size[0], 1 - 0.1 / size[1], title, **text)
    note = f"Coronal. Window W {WINDOW:.0f} / L {LEVEL:.0f} HU. {DISCLAIMER}"
    figure.text(EDGE / size[0], 0.08 / size[1], note, fontsize=8)
    canvas.print_png(os.fspath(path), metadata={"Software": None})
