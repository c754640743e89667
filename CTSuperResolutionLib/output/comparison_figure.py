"""Comparison figure of a result: input, cubic, measured, super-resolved and what was added, in three planes."""

from __future__ import annotations

import itertools
import math
import os
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from CTSuperResolutionLib.volume.volume import Volume

WINDOW, LEVEL = 1600.0, -200.0  # HU: lung, soft tissue and bone are all told apart
DISCLAIMER = "Research use only, not for diagnosis."
PLANES = ("axial", "coronal", "sagittal")
EDGES = (("R", "L", "A", "P"), ("R", "L", "H", "F"), ("A", "P", "H", "F"))  # left, right, top, bottom of each plane
DPI = 100
COLUMN, NARROWEST, TALLEST, GAP = 380, 380, 640, 12  # px: column, narrowest one, highest panel, space between
LOWEST = 84  # px: lowest row, as long as its name
THIN = 52  # px: a panel that measures less has its letters beside it, for on it they would overprint each other
COLUMNS = 5
ADDED = COLUMNS - 1  # the last one, in colours
LEFT, TOP, RIGHT, LINE = 48, 112, 118, 19  # px: row names, title and headings, colour bar; a line of the caption

Rect = tuple[int, int, int, int]  # left, top, width, height in px from the picture's top left corner


@dataclass(frozen=True)
class Layout:
    """Layout of the figure, in px from its top left corner.

    size: (width, height); panels: three planes of COLUMNS Rects; bar: the colour bar.
    """

    size: tuple[int, int]
    panels: tuple[tuple[Rect, ...], ...]
    bar: Rect


def layout(extent: tuple[float, float, float], caption_lines: int) -> Layout:
    """Panels for a field of view of `extent` mm (z, y, x), all at one scale, so that lengths compare everywhere."""
    z, y, x = extent
    scale = min(COLUMN / max(x, y), TALLEST / max(y, z))
    rows = [tuple(max(1, round(length * scale)) for length in plane) for plane in ((x, y), (x, z), (y, z))]
    column = max(NARROWEST, *(width for width, _ in rows))
    panels, top = [], TOP
    for width, height in rows:
        lefts = (LEFT + k * (column + GAP) + (column - width) // 2 for k in range(COLUMNS))
        row = max(height, LOWEST)
        panels.append(tuple((left, top + (row - height) // 2, width, height) for left in lefts))
        top += row + GAP
    right = LEFT + COLUMNS * (column + GAP)
    bar = (right + 4, TOP, 16, top - GAP - TOP)
    return Layout((right + RIGHT, top + caption_lines * LINE + 14), tuple(panels), bar)


def compare_figure(
    scan: Volume,
    cubic: Volume,
    measured: Volume,
    sr: Volume,
    path: str | os.PathLike,
    *,
    title: str,
    caption: str,
) -> None:
    """Write a PNG with the axial, coronal and sagittal plane through the volume's centre in five columns.

    The columns are the input with its own voxels visible, cubic upsampling, what the scan alone supports, the result,
    and what was added: the result minus the third. The
    planes are the middle ones whatever is in them, so that nobody picks what flatters the method. Grid axes are
    turned to the nearest LPS axes: patient's right on the left, front up or left, head up. The same volumes and texts
    give the same bytes with the same matplotlib.

    Args:
        scan: the input.
        cubic: its cubic upsampling.
        measured: what it supports without a prior, on the grid of `cubic`.
        sr: the super-resolved volume, on the same grid.
        path: the PNG to write.
        title: one line above, cut where it is too long.
        caption: below, before the window, the planes and the disclaimer.

    Raises:
        ValueError: `sr`, `measured` and `cubic` are on different grids, or theirs does not fill the scan's.
        OSError: the file cannot be written.
    """
    if not sr.shape == cubic.shape == measured.shape or not _fills(sr, scan):
        shapes = ", ".join(map(str, (scan.shape, cubic.shape, measured.shape, sr.shape)))
        raise ValueError(f"grids of {shapes} voxels do not belong together")
    fine = _upright_shape(sr)
    columns = [_planes(volume, [n // 2 for n in fine], fine) for volume in (scan, cubic, measured, sr)]
    columns.append([result - plain for result, plain in zip(columns[3], columns[2], strict=True)])
    z, y, x = (n * d for n, d in zip(_upright_shape(scan), _upright_spacing(scan), strict=True))
    extent = (z, y, x)
    note = f"Window W {WINDOW:.0f} / L {LEVEL:.0f} HU. Planes through the volume's centre. {DISCLAIMER}"
    width = layout(extent, 0).size[0]
    text = "\n".join(textwrap.fill(part, width // 9) for part in (caption, note) if part)
    title = textwrap.shorten(title, width // 14, placeholder=" …")
    _draw(columns, layout(extent, text.count("\n") + 1), _headings(scan, sr), title, text, path)


def _fills(fine: Volume, scan: Volume) -> bool:
    """Whether a result covers its scan: less than a voxel of it is left out at either end."""
    sides = zip(scan.shape, scan.spacing, fine.shape, fine.spacing, strict=True)
    return all(abs(n * d - count * pitch) < 2 * pitch <= 2.001 * d for n, d, count, pitch in sides)


def _draw(columns: list, place: Layout, headings: list[str], title: str, text: str, path: str | os.PathLike) -> None:
    """Put the slices, headings, colour bar and texts where `place` says, and write the picture."""
    figure = Figure(figsize=(place.size[0] / DPI, place.size[1] / DPI), dpi=DPI, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    window = Normalize(LEVEL - WINDOW / 2, LEVEL + WINDOW / 2)
    bound = _round_up(max(float(np.percentile(np.abs(plane), 99.5)) for plane in columns[ADDED]))
    shades = Normalize(-bound, bound)
    for column, row in itertools.product(range(COLUMNS), range(3)):
        axes = _axes(figure, place, place.panels[row][column])
        axes.set_axis_off()
        axes.imshow(
            columns[column][row],
            cmap="RdBu_r" if column == ADDED else "gray",
            norm=shades if column == ADDED else window,
            interpolation="nearest" if column == 0 else "auto",
            aspect="auto",
        )
        if column == 0:
            _name_edges(axes, EDGES[row], place.panels[row][column])
    for column, heading in enumerate(headings):
        left, _, wide, _ = place.panels[0][column]
        _write(figure, place, left + wide / 2, TOP - 6, heading, 10, ha="center", va="bottom")
    for row, name in enumerate(PLANES):
        _, top, _, high = place.panels[row][0]
        _write(figure, place, LEFT / 2, top + high / 2, name, 11, ha="center", va="center", rotation=90)
    bar = figure.colorbar(ScalarMappable(shades, "RdBu_r"), cax=_axes(figure, place, place.bar))
    bar.set_label("Added: SR - measured, HU", fontsize=10)
    bar.ax.tick_params(labelsize=9)
    _write(figure, place, LEFT, 16, title, 14, ha="left", va="top", weight="bold")
    _write(figure, place, LEFT, place.bar[1] + place.bar[3] + GAP, text, 10, ha="left", va="top", linespacing=1.3)
    canvas.print_png(os.fspath(path), metadata={"Software": None})


def _upright_shape(volume: Volume) -> tuple[int, ...]:
    """Voxels along (feet to head, front to back, right to left)."""
    order, _ = _nearest_axes(volume)
    return tuple(volume.shape[axis] for axis in order)


def _upright_spacing(volume: Volume) -> tuple[float, ...]:
    order, _ = _nearest_axes(volume)
    return tuple(volume.spacing[axis] for axis in order)


def _nearest_axes(volume: Volume) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """For S, P and L in turn: the array axis that runs closest to it, and +1 or -1 for whether it runs that way."""
    # rows: patient axes z, y, x; columns: array axes z, y, x
    cosines = np.reshape(volume.direction, (3, 3))[::-1, ::-1]
    order = max(itertools.permutations(range(3)), key=lambda p: sum(abs(cosines[row, p[row]]) for row in range(3)))
    return order, tuple(1 if cosines[row, order[row]] >= 0 else -1 for row in range(3))


def _planes(volume: Volume, centre: Sequence[int], fine: Sequence[int]) -> list[np.ndarray]:
    """Axial, coronal and sagittal slice, as shown, at the index ``centre`` of an upright grid of ``fine`` voxels.

    They alone are taken from the array, which may lie in a file.
    """
    order, signs = _nearest_axes(volume)
    planes = []
    for across, (at, n) in enumerate(zip(centre, fine, strict=True)):
        axis, size = order[across], volume.shape[order[across]]
        index = at * size // n
        key: list[slice | int] = [slice(None)] * 3
        key[axis] = index if signs[across] > 0 else size - 1 - index
        left = [k for k in range(3) if k != across]
        plane = volume.array[tuple(key)]
        if order[left[0]] > order[left[1]]:
            plane = plane.T
        planes.append(plane[:: signs[left[0]], :: signs[left[1]]])
    axial, coronal, sagittal = planes
    return [axial, coronal[::-1], sagittal[::-1]]


def _headings(scan: Volume, sr: Volume) -> list[str]:
    texts = []
    for volume in (scan, sr):
        z, y, x = volume.spacing
        nz, ny, nx = volume.shape
        texts.append(f"{nx} x {ny} x {nz} voxels of {x:.3g} x {y:.3g} x {z:.3g} mm")
    results = [f"{name}\n{texts[1]}" for name in ("Cubic", "Measured (no prior)", "Super-resolved")]
    return [f"Input\n{texts[0]}", *results, "Added: super-resolved - measured\n"]


def _round_up(value: float) -> float:
    """The next 1, 2 or 5 times a power of ten, at least 10 HU: limits that are easy to read."""
    value = max(value, 10.0)
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value * (1 - 1e-9))


def _axes(figure: Figure, place: Layout, rect: Rect) -> Axes:
    left, top, wide, high = rect
    width, height = place.size
    return figure.add_axes((left / width, 1 - (top + high) / height, wide / width, high / height))


def _name_edges(axes: Axes, names: tuple[str, str, str, str], panel: Rect) -> None:
    """Letters for the patient's sides at the panel's left, right, top and bottom; beside it where it is thin."""
    _, _, wide, high = panel
    left, right = ("left", "right") if wide >= THIN else ("right", "left")
    top, bottom = ("top", "bottom") if high >= THIN else ("bottom", "top")
    inset_x, inset_y = (0.01 if size >= THIN else -3 / size for size in (wide, high))
    places = (
        (inset_x, 0.5, left, "center"),
        (1 - inset_x, 0.5, right, "center"),
        (0.5, 1 - inset_y, "center", top),
        (0.5, inset_y, "center", bottom),
    )
    for name, (x, y, across, along) in zip(names, places, strict=True):
        style: dict[str, Any] = {
            "color": "gold",
            "fontsize": 9,
            "path_effects": [withStroke(linewidth=2, foreground="black")],
        }
        axes.text(x, y, name, transform=axes.transAxes, ha=across, va=along, **style)


def _write(figure: Figure, place: Layout, x: float, y: float, text: str, size: float, **style: Any) -> None:
    """Text at (x, y) px from the top left; dollar signs are dollar signs."""
    figure.text(x / place.size[0], 1 - y / place.size[1], text, fontsize=size, parse_math=False, **style)
