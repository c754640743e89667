"""The swipe view: one volume left of the divider, the other right of it."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import vtk
from CTSuperResolutionPanel.compare.layouts import Cell
from CTSuperResolutionPanel.compare.slice_view import SliceView
from CTSuperResolutionPanel.compare.swipe_view import GRIP_SIZE, SwipeImage, SwipeView
from vtk.util.numpy_support import vtk_to_numpy

WIDTH, HEIGHT = 90, 60


class Window:
    """A slice view's widget as far as the swipe view uses it."""

    ratio = 1.0

    def __init__(self, size):
        self._interactor = vtk.vtkGenericRenderWindowInteractor()
        self._interactor.SetSize(*size)
        self.connection, self.cursors, self.reached_slicer = None, [], []
        for event in ("LeftButtonPressEvent", "MouseMoveEvent", "LeftButtonReleaseEvent"):
            self._interactor.AddObserver(event, lambda _caller, name: self.reached_slicer.append(name))

    def interactor(self):
        return self._interactor

    def setImageDataConnection(self, connection):
        self.connection = connection

    def scheduleRender(self):
        pass

    def devicePixelRatioF(self):
        return self.ratio

    def setViewCursor(self, cursor):
        self.cursors.append("split")

    def unsetViewCursor(self):
        self.cursors.append("usual")

    def mouse(self, event, x, y=20):
        self._interactor.SetEventPosition(x, y)
        self._interactor.InvokeEvent(event)


def rgba(connection) -> np.ndarray:
    connection.GetProducer().Update()
    image = connection.GetProducer().GetOutputDataObject(connection.GetIndex())
    width, height, _depth = image.GetDimensions()
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, 4)


def picture(seed, height=HEIGHT) -> vtk.vtkImageData:
    image = vtk.vtkImageData()
    image.SetDimensions(WIDTH, height, 1)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 4)
    pixels = vtk_to_numpy(image.GetPointData().GetScalars())
    pixels[:] = np.random.default_rng(seed).integers(0, 256, pixels.shape)
    return image


@pytest.mark.parametrize("divider", [0, 1, 2, 37, WIDTH - 1, WIDTH])
def test_the_left_columns_are_the_first_picture_and_the_right_ones_the_second(divider):
    sources = [vtk.vtkTrivialProducer(), vtk.vtkTrivialProducer()]
    for seed, source in enumerate(sources):
        source.SetOutput(picture(seed))
    left, right = (rgba(source.GetOutputPort()) for source in sources)
    image = SwipeImage()
    image.join(*(source.GetOutputPort() for source in sources))
    image.place(divider, WIDTH, HEIGHT)
    shown = rgba(image.connection())
    assert shown.shape == (HEIGHT, WIDTH, 4)
    grip = GRIP_SIZE[0] // 2
    assert np.array_equal(shown[:, : max(divider - grip, 0)], left[:, : max(divider - grip, 0)])
    assert np.array_equal(shown[:, divider + grip + 1 :], right[:, divider + grip + 1 :])
    # above the handle, the divider hides three columns and no more
    assert np.array_equal(shown[0, : max(divider - 1, 0)], left[0, : max(divider - 1, 0)])
    assert np.array_equal(shown[0, divider + 2 :], right[0, divider + 2 :])


def test_on_a_display_of_high_resolution_the_divider_is_as_thick_as_on_others():
    source = vtk.vtkTrivialProducer()
    source.SetOutput(picture(0, height=150))
    plain, image = rgba(source.GetOutputPort()), SwipeImage()
    image.join(source.GetOutputPort(), source.GetOutputPort())
    widths = []
    for scale in (1, 2):
        image.place(40, WIDTH, 150, scale)
        changed = np.any(rgba(image.connection()) != plain, axis=2)
        widths.append((np.count_nonzero(changed[0]), np.ptp(np.flatnonzero(changed.any(axis=0))) + 1))
    assert widths == [(3, GRIP_SIZE[0]), (6, 2 * GRIP_SIZE[0])]


@pytest.fixture
def swipe_view(section, ct, screen):
    """A swipe over a real slice view of two volumes, in a window that records what it is given."""
    section.show(ct("cubic"), ct("sr", seed=1))
    view = SliceView(Cell("CTSRAxial1", "Axial", 0))
    first, second = (slicer.util.getNode(name) for name in ("cubic", "sr"))
    view.show(first, second)
    window = Window(screen.node("CTSRAxial1").GetDimensions()[:2])
    moves = []
    swipe_view = SwipeView(view, window, moves.append)
    yield swipe_view, view, window, moves
    swipe_view.remove()


def halves(screen, window, divider):
    """Whether the window shows the first volume left of a column and the second right of it."""
    screen.settle()
    shown = rgba(window.connection)[..., 0].astype(float)
    answers = []
    for name, part in (("cubic", slice(0, divider - 9)), ("sr", slice(divider + 10, None))):
        expected, inside = screen.expected("CTSRAxial1", slicer.util.getNode(name))
        assert inside[:, part].sum() > 1000
        answers.append(np.abs(shown - expected)[:, part][inside[:, part]].max() <= 2)
    return answers


def test_the_view_shows_both_volumes_and_follows_scrolling_zooming_and_windowing(swipe_view, screen):
    swipe_view, _view, window, _moves = swipe_view
    width, height, _depth = screen.node("CTSRAxial1").GetDimensions()
    assert halves(screen, window, round(width / 2)) == [True, True]
    screen.logic("CTSRAxial1").SetSliceOffset(-8.0)
    assert halves(screen, window, round(width / 2)) == [True, True]
    screen.node("CTSRAxial1").SetFieldOfView(30.0, 30.0 * height / width, 2.0)
    assert halves(screen, window, round(width / 2)) == [True, True]
    slicer.util.getNode("cubic").GetDisplayNode().SetWindowLevel(2000, 0)
    assert halves(screen, window, round(width / 2)) == [True, True]
    swipe_view.move(0.45)
    assert halves(screen, window, round(0.45 * width)) == [True, True]


def test_the_divider_keeps_its_part_of_a_view_that_is_resized(swipe_view, screen):
    swipe_view, view, window, _moves = swipe_view
    view.logic.ResizeSliceNode(300, 240)
    assert rgba(window.connection).shape == (240, 300, 4)
    assert halves(screen, window, 150) == [True, True]


def test_dragging_the_divider_moves_it_and_slicer_does_not_see_the_mouse(swipe_view, screen):
    swipe_view, _view, window, moves = swipe_view
    width = screen.node("CTSRAxial1").GetDimensions()[0]
    window.mouse("MouseMoveEvent", width // 2 + 3)
    assert window.cursors == ["split"]
    window.reached_slicer.clear()
    window.mouse("LeftButtonPressEvent", width // 2 + 3)
    window.mouse("MouseMoveEvent", width // 4)
    assert moves[-1] == pytest.approx(0.25, abs=0.01)
    window.mouse("MouseMoveEvent", -50)
    assert moves[-1] == 0
    window.mouse("MouseMoveEvent", width + 50)
    assert moves[-1] == 1
    window.mouse("LeftButtonReleaseEvent", width // 4)
    assert window.reached_slicer == []


def test_the_mouse_away_from_the_divider_belongs_to_slicer(swipe_view, screen):
    swipe_view, _view, window, moves = swipe_view
    width = screen.node("CTSRAxial1").GetDimensions()[0]
    for event in ("LeftButtonPressEvent", "MouseMoveEvent", "LeftButtonReleaseEvent"):
        window.mouse(event, width // 4)
    assert moves == []
    assert window.reached_slicer == ["LeftButtonPressEvent", "MouseMoveEvent", "LeftButtonReleaseEvent"]


def test_taking_the_swipe_view_away_gives_the_view_its_picture_and_its_mouse_back(swipe_view, screen):
    swipe_view, view, window, _moves = swipe_view
    width = screen.node("CTSRAxial1").GetDimensions()[0]
    window.mouse("MouseMoveEvent", width // 2)
    swipe_view.remove()
    assert window.connection is view.logic.GetImageDataConnection()
    assert window.cursors[-1] == "usual"
    window.reached_slicer.clear()
    window.mouse("LeftButtonPressEvent", width // 2)
    assert window.reached_slicer == ["LeftButtonPressEvent"]


def test_dragging_in_the_view_moves_the_slider_and_the_other_planes(section, ui, ct, screen):
    section.show(ct("cubic"), ct("sr", seed=1))
    ui.swipeButton.click()
    ui.allPlanesButton.click()
    assert screen.names() == ["CTSRAxial1", "CTSRCoronal1", "CTSRSagittal1"]
    screen.settle()
    interactor = slicer.app.layoutManager().sliceWidget("CTSRCoronal1").sliceView().interactor()
    width = interactor.GetSize()[0]
    assert ui.dividerSlider.visible
    interactor.SetEventPosition(width // 2, 30)
    interactor.InvokeEvent("LeftButtonPressEvent")
    interactor.SetEventPosition(width // 5, 30)
    interactor.InvokeEvent("MouseMoveEvent")
    interactor.InvokeEvent("LeftButtonReleaseEvent")
    assert ui.dividerSlider.value == pytest.approx(200, abs=5)
    ui.sideButton.click()
    assert not ui.dividerSlider.visible
    assert screen.layers("CTSRAxial1").GetForegroundVolumeID() is None


def test_the_key_changes_the_sides_of_the_swipe_view(section, ui, ct, screen):
    cubic, sr = ct("cubic"), ct("sr", seed=1)
    section.show(cubic, sr)
    ui.swipeButton.click()
    ui.exchangeButton.click()
    layers = screen.layers("CTSRAxial1")
    assert (layers.GetBackgroundVolumeID(), layers.GetForegroundVolumeID()) == (sr.GetID(), cubic.GetID())
