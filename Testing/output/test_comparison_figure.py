"""The comparison picture, looked at as a reader would: by decoding the PNG."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from CTSuperResolutionLib.output import comparison_figure as figure
from CTSuperResolutionLib.output.comparison_figure import compare_figure, layout
from CTSuperResolutionLib.volume.volume import Volume

IDENTITY = (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0)
BLACK, WHITE = -1000.0, 600.0  # HU at the ends of the window
TEXTS = {"title": "A scan", "caption": "Seed 0"}


def empty(shape=(12, 24, 16), spacing=(4.0, 2.0, 3.0), direction=IDENTITY, value=BLACK):
    """A volume, its array filled with one value."""
    return Volume(np.full(shape, value, dtype=np.float32), spacing, (0.0, 0.0, 0.0), tuple(map(float, direction)))


def volumes(scan, factor=2):
    """The scan and three times the scan repeated voxel by voxel on the finer grid."""
    fine = scan.array.repeat(factor, 0).repeat(factor, 1).repeat(factor, 2)
    return scan, *(scan.with_array(fine.copy(), (factor,) * 3) for _ in range(3))


def panels(path, extent):
    """RGB of the panels, [row][column], cut out of the PNG."""
    picture = np.asarray(Image.open(path).convert("RGB")).astype(int)
    place = layout(extent, 2)
    assert picture.shape[:2] == place.size[::-1]
    return [[picture[t : t + h, left : left + w] for left, t, w, h in row] for row in place.panels]


def bright_box(panel):
    """Left, right, top, bottom of the white part as shares of the panel's size (letters are yellow, so not white)."""
    rows, columns = np.nonzero(panel.min(axis=2) > 200)
    high, wide = panel.shape[:2]
    return columns.min() / wide, (columns.max() + 1) / wide, rows.min() / high, (rows.max() + 1) / high


@pytest.mark.parametrize(
    "direction",
    [
        IDENTITY,
        (1, 0, 0, 0, 1, 0, 0, 0, -1),  # slices stored from head to feet
        (-1, 0, 0, 0, -1, 0, 0, 0, 1),  # prone-like
        (0, 0, 1, 1, 0, 0, 0, -1, 0),  # sagittal acquisition: x runs to the back, y to the feet, z to the left
        (1, 0, 0, 0, 0, 1, 0, -1, 0),  # coronal acquisition
        (0.99, -0.141, 0, 0.141, 0.99, 0, 0, 0, 1),  # slightly oblique
    ],
)
def test_a_cube_lies_where_the_patient_has_it(tmp_path, direction):
    """A box of bone at a known place in patient space must show there in every plane and grey column."""
    scan = empty(direction=direction)
    matrix = np.reshape(direction, (3, 3))
    exact = np.all(np.isin(np.abs(matrix), (0, 1)))
    middle = np.array(scan.shape) // 2
    low, high = np.subtract(middle, (3, 5, 2)), np.add(middle, (2, 3, 4))
    scan.array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = WHITE
    compare_figure(*volumes(scan), tmp_path / "c.png", **TEXTS)
    # the box's and the volume's faces in LPS mm, computed with the direction matrix alone
    sides = {}
    nearest = np.rint(matrix)
    for name, first, last in (("box", low, high), ("all", np.zeros(3), np.array(scan.shape))):
        corners = [nearest @ (edge * scan.spacing)[::-1] for edge in (first, last)]
        sides[name] = np.sort(corners, axis=0)
    size = sides["all"][1] - sides["all"][0]
    start, stop = ((face - sides["all"][0]) / size for face in sides["box"])  # shares from right, front, feet
    x, y, z = ((a, b) for a, b in zip(start, stop, strict=True))
    turned = (1 - z[1], 1 - z[0])
    expected = ((*x, *y), (*x, *turned), (*y, *turned))
    shown = panels(tmp_path / "c.png", tuple(size[::-1]))
    for row, box in zip(shown, expected, strict=True):
        for column in range(4):
            np.testing.assert_allclose(bright_box(row[column]), box, atol=0.015 if exact else 0.02)


def test_lengths_are_true_for_anisotropic_voxels(tmp_path):
    """A 24 mm cube is a square of the same size in every panel though voxels are 1 x 2 x 6 mm."""
    scan = empty((8, 20, 48), (6.0, 2.0, 1.0))
    scan.array[2:6, 4:16, 12:36] = WHITE
    compare_figure(*volumes(scan), tmp_path / "c.png", **TEXTS)
    sides = []
    for row in panels(tmp_path / "c.png", (48.0, 40.0, 48.0)):
        left, right, top, bottom = bright_box(row[0])
        sides += [(right - left) * row[0].shape[1], (bottom - top) * row[0].shape[0]]
    assert np.ptp(sides) <= 2.5 and min(sides) > 150


def test_the_input_shows_its_own_voxels_and_the_result_its_finer_ones(tmp_path):
    rng = np.random.default_rng(0)
    scan = empty((6, 10, 10), (2.0, 2.0, 2.0))
    scan.array[:] = rng.permutation(600).reshape(6, 10, 10) * 2.5 - 950.0
    scan, cubic, measured, _ = volumes(scan)
    sr = cubic.with_array(cubic.array + rng.permutation(cubic.array.size).reshape(cubic.shape).astype(np.float32) / 40)
    compare_figure(scan, cubic, measured, sr, tmp_path / "c.png", **TEXTS)
    axial = panels(tmp_path / "c.png", (12.0, 20.0, 20.0))[0]
    wide = axial[0].shape[1]
    line = axial[0][wide // 4 + 5, :, 0]
    shown = [np.unique(line[round(k * wide / 10) + 2 : round((k + 1) * wide / 10) - 2]) for k in range(10)]
    assert all(len(greys) == 1 for greys in shown)  # blocks of one grey
    expected = (scan.array[3, 2] + 1000.0) / 1600.0 * 255.0
    np.testing.assert_allclose([greys[0] for greys in shown], expected, atol=1.5)
    assert len(np.unique(axial[3][wide // 4 + 5, :, 0])) > 10


def test_grey_follows_the_window(tmp_path):
    for hu, grey in ((BLACK, 0), (-200.0, 128), (WHITE, 255), (3000.0, 255)):
        compare_figure(*volumes(empty((4, 8, 8), (1.0, 1.0, 1.0), value=hu)), tmp_path / "c.png", **TEXTS)
        for row in panels(tmp_path / "c.png", (4.0, 8.0, 8.0)):
            for panel in row[:4]:
                assert abs(np.median(panel) - grey) <= 1.5


def test_what_was_added_is_red_where_the_result_is_brighter_and_blue_where_darker(tmp_path):
    scan, cubic, measured, sr = volumes(empty(value=0.0))
    cubic.array[:] += 200.0  # is not what it is taken from
    sr.array[8:16, 12:24, 2:14] += 300.0  # to the patient's right
    sr.array[8:16, 12:24, 18:30] -= 300.0
    compare_figure(scan, cubic, measured, sr, tmp_path / "c.png", **TEXTS)
    difference = panels(tmp_path / "c.png", (48.0, 48.0, 48.0))[0][4]
    high, wide = difference.shape[:2]
    red, blue, nothing = (difference[int(high * 0.45), int(wide * at)] for at in (0.25, 0.75, 0.5))
    assert red[0] > red[2] + 80 and blue[2] > blue[0] + 80
    assert nothing.min() > 240


def test_equal_volumes_have_nothing_added(tmp_path):
    compare_figure(*volumes(empty()), tmp_path / "c.png", **TEXTS)
    assert panels(tmp_path / "c.png", (48.0, 48.0, 48.0))[1][4].min() > 240


def test_same_volumes_same_bytes(tmp_path):
    scan, cubic, measured, sr = volumes(empty())
    sr.array[10:14] += 40
    for name in ("one", "two"):
        compare_figure(scan, cubic, measured, sr, tmp_path / name, **TEXTS)
    first = (tmp_path / "one").read_bytes()
    assert first == (tmp_path / "two").read_bytes()
    assert b"tIME" not in first and b"tEXt" not in first
    sr.array[12, 20, 20] += 400
    compare_figure(scan, cubic, measured, sr, tmp_path / "three", **TEXTS)
    assert first != (tmp_path / "three").read_bytes()


def test_texts_are_written_and_panels_keep_their_place_for_long_ones(tmp_path, monkeypatch):
    written = []
    original = figure._write
    monkeypatch.setattr(figure, "_write", lambda *a, **k: (written.append(a[4]), original(*a, **k)))
    compare_figure(
        *volumes(empty()), tmp_path / "c.png", title="cost $5 and $6 " + 90 * "so on ", caption="long " * 120
    )
    text = " ".join(written).replace("\n", " ")
    for part in ("cost $5 and $6", "Research use only, not for diagnosis", "W 1600 / L -200", "3 x 2 x 4 mm"):
        assert part in text
    caption = written[-1]
    picture = np.asarray(Image.open(tmp_path / "c.png").convert("L"))
    last = np.nonzero((picture < 128).any(axis=1))[0].max()
    assert picture.shape[0] - 40 < last < picture.shape[0] - 3  # the last line is whole and inside
    assert not (picture[:, -4:] < 128).any()
    assert caption.count("\n") >= 3


def test_a_thin_slab_and_a_tall_body_fit(tmp_path):
    for shape, spacing in (((2, 40, 40), (1.0, 5.0, 5.0)), ((60, 8, 8), (10.0, 10.0, 10.0))):
        compare_figure(*volumes(empty(shape, spacing)), tmp_path / "c.png", **TEXTS)
        with Image.open(tmp_path / "c.png") as picture:
            assert 500 < picture.width < 2200 and 250 < picture.height < 2000


@pytest.mark.parametrize(
    ("shape", "spacing"),
    [
        ((8, 47, 64), (1.0, 6.0, 6.0)),
        ((8, 8, 100), (1.0, 1.0, 1.0)),
        ((60, 100, 8), (2.0, 2.0, 2.0)),
        ((12, 24, 16), (4.0, 2.0, 3.0)),
    ],
    ids=["flat", "thin", "narrow", "plain"],
)
def test_no_text_lies_on_another(tmp_path, monkeypatch, shape, spacing):
    drawn = []
    canvas = figure.FigureCanvasAgg
    monkeypatch.setattr(figure, "FigureCanvasAgg", lambda of: drawn.append(canvas(of)) or drawn[-1])
    compare_figure(*volumes(empty(shape, spacing)), tmp_path / "c.png", **TEXTS)
    picture = drawn[0].figure
    texts = [*picture.texts, *(text for axes in picture.axes for text in axes.texts)]
    assert len(texts) == 5 + 3 + 2 + 12  # headings, planes, title and caption, sides
    boxes = [(text.get_text(), text.get_window_extent(drawn[0].get_renderer())) for text in texts]
    for (first, box), (second, other) in itertools.combinations(boxes, 2):
        assert not box.overlaps(other), (first, second)
    wide, high = picture.bbox.size
    assert all(box.x0 >= 0 and box.y0 >= 0 and box.x1 <= wide and box.y1 <= high for _, box in boxes)


def test_volumes_that_do_not_belong_together_are_refused(tmp_path):
    scan, cubic, measured, sr = volumes(empty())
    for wrong in ((scan, cubic, measured, scan), (scan, cubic, scan, sr), (empty((5, 24, 16)), cubic, measured, sr)):
        with pytest.raises(ValueError, match="do not belong together"):
            compare_figure(*wrong, tmp_path / "c.png", **TEXTS)
    assert not list(tmp_path.iterdir())


def test_pyplot_is_left_alone():
    """pyplot keeps figures and a window system in global state; importing the module must not load it."""
    code = "import sys, CTSuperResolutionLib.output.comparison_figure; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_letters_are_seen_on_bright_tissue(tmp_path):
    """Gold on white is told apart by little more than a sixth of the full contrast: each letter has a dark outline."""
    compare_figure(*volumes(empty(value=WHITE)), tmp_path / "c.png", **TEXTS)
    for row in panels(tmp_path / "c.png", (48.0, 48.0, 48.0)):
        letters, plain = row[0], row[1]
        assert plain.min() > 200
        for part in (letters[:20], letters[-20:], letters[:, :20], letters[:, -20:]):
            assert (part.max(axis=2) < 80).sum() > 10
