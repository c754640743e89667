"""Figure of a reconstruction: filtered backprojection, the result and their difference, in three planes."""

from __future__ import annotations

import os

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from CTSuperResolutionLib.output.comparison_figure import DISCLAIMER, LEVEL, WINDOW
from CTSuperResolutionLib.volume.volume import Volume

PLANES = ("axial", "coronal", "sagittal")
COLUMN, MARGIN, DPI = 3.6, 1.2, 100  # inches, and dots an inch


def reconstruction_figure(
    volume: Volume, fdk: Volume, path: str | os.PathLike, *, title: str, reference: Volume | None = None
) -> None:
    """Write a PNG with the middle axial, coronal and sagittal plane in a row each.

    Columns are filtered backprojection, the result, the reference where there is one, and the result minus that, or
    minus filtered backprojection. The grid's own axes are shown, z upwards.

    Args:
        volume: the result, HU. fdk: on the same grid. path: the PNG. title: one line above.
        reference: the truth on the same grid.
    """
    columns = [("Filtered backprojection", fdk.array), ("Reconstruction", volume.array)]
    if reference is not None:
        columns.append(("Reference", reference.array))
    other, name = (fdk, "filtered backprojection") if reference is None else (reference, "reference")
    difference = volume.array - other.array
    (nz, ny, nx), (dz, dy, dx) = volume.shape, volume.spacing
    heights = [height / width for width, height in ((nx * dx, ny * dy), (nx * dx, nz * dz), (ny * dy, nz * dz))]
    size = (COLUMN * (len(columns) + 1), COLUMN * sum(heights) + MARGIN)
    figure = Figure(figsize=size, dpi=DPI, facecolor="white", layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots(3, len(columns) + 1, squeeze=False, height_ratios=heights)
    bound = max(50.0, float(np.percentile(np.abs(difference), 99)))
    for row, plane in enumerate(PLANES):
        aspect = (dy / dx, dz / dx, dz / dy)[row]
        for column, (heading, array) in enumerate([*columns, (f"Reconstruction − {name}", difference)]):
            shown = axes[row][column]
            last = column == len(columns)
            limits = (-bound, bound) if last else (LEVEL - WINDOW / 2, LEVEL + WINDOW / 2)
            image = shown.imshow(_middle(array, row), "RdBu_r" if last else "gray", aspect=aspect)
            image.set_clim(*limits)
            shown.set_xticks([])
            shown.set_yticks([])
            if row == 0:
                shown.set_title(heading, fontsize=10)
            if column == 0:
                shown.set_ylabel(plane, fontsize=10)
            if last and row == 0:
                figure.colorbar(image, ax=axes[:, -1], shrink=0.5, label="HU")
    figure.suptitle(title, fontsize=12)
    figure.supxlabel(f"Window W {WINDOW:.0f} / L {LEVEL:.0f} HU. {DISCLAIMER}", fontsize=9)
    canvas.print_png(os.fspath(path), metadata={"Software": None})


def _middle(array: np.ndarray, plane: int) -> np.ndarray:
    middle = array.take(array.shape[plane] // 2, axis=plane)
    return middle if plane == 0 else middle[::-1]
