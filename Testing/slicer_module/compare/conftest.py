"""The section for comparing volumes, volumes to put into it, and what its views ought to show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import numpy as np
import pytest
import qt
import slicer
import vtk
from CTSuperResolutionPanel.compare.section import CompareSection
from scipy.ndimage import map_coordinates
from vtk.util.numpy_support import vtk_to_numpy

WINDOW, LEVEL = 1600.0, 100.0


@pytest.fixture(autouse=True)
def four_views(slicer) -> None:
    """Slicer as the user had it before: an empty scene, three slice views and a 3D view."""
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    slicer.app.processEvents()


@pytest.fixture
def state() -> SimpleNamespace:
    """What the section uses of the panel's parameter node."""
    return SimpleNamespace(
        compareFirst=None, compareSecond=None, compareThird=None, compareKind="side", comparePlane="Axial"
    )


@pytest.fixture
def section(state) -> Iterator[CompareSection]:
    """The section in its module, which is open."""
    panel = qt.QWidget()
    section = CompareSection(qt.QVBoxLayout(panel), state)
    panel.show()
    section.enter()
    yield section
    section.cleanup()


@pytest.fixture
def ui(section) -> SimpleNamespace:
    """The section's widgets by their names in the .ui file."""
    return slicer.util.childWidgetVariables(section.widget)


@pytest.fixture
def ct() -> Callable[..., slicer.vtkMRMLScalarVolumeNode]:
    """Makes a volume of HU, smooth noise if no values are given."""

    def make(name, values=None, *, shape=(18, 26, 34), matrix=None, seed=0) -> slicer.vtkMRMLScalarVolumeNode:
        if values is None:
            values = noise(shape, seed)
        node = slicer.util.addVolumeFromArray(values, ijkToRAS=straight() if matrix is None else matrix, name=name)
        node.CreateDefaultDisplayNodes()
        node.GetDisplayNode().SetAutoWindowLevel(False)
        node.GetDisplayNode().SetWindowLevel(WINDOW, LEVEL)
        return node

    return make


def noise(shape, seed) -> np.ndarray:
    """Values of all sizes within the window, different for every seed."""
    return np.random.default_rng(seed).integers(-600, 800, shape).astype(np.int16)


def straight(spacing=(1.5, 1.5, 2.0), origin=(12.0, 9.0, -31.0)) -> np.ndarray:
    """From (x, y, z) indices to RAS for a patient on the back, as scanners write: x and y run to the negative."""
    matrix = np.diag([-spacing[0], -spacing[1], spacing[2], 1.0])
    matrix[:3, 3] = origin
    return matrix


def oblique() -> np.ndarray:
    """Turned by 20 and 12 degrees, and anisotropic."""
    a, b = np.deg2rad([20, 12])
    about_s = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_r = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    matrix = np.eye(4)
    matrix[:3, :3] = about_s @ about_r @ np.diag([-1.2, -1.4, 2.2])
    matrix[:3, 3] = [14.0, 11.0, -22.0]
    return matrix


class Screen:
    """What is on the screen now, by the names of the views, and what should be."""

    noise = staticmethod(noise)
    straight = staticmethod(straight)
    oblique = staticmethod(oblique)

    def settle(self) -> None:
        """Views get their sizes, and what waits for that happens."""
        for _turn in range(3):
            slicer.app.processEvents()

    def layout(self) -> int:
        return slicer.app.layoutManager().layout

    def nodes(self) -> list:
        """Nodes of the views in the layout."""
        views = slicer.app.layoutManager().layoutLogic().GetViewNodes()
        return [views.GetItemAsObject(index) for index in range(views.GetNumberOfItems())]

    def names(self) -> list[str]:
        return [node.GetLayoutName() for node in self.nodes()]

    def logic(self, view: str) -> slicer.vtkMRMLSliceLogic:
        self.settle()
        return slicer.app.layoutManager().sliceWidget(view).sliceLogic()

    def node(self, view: str) -> slicer.vtkMRMLSliceNode:
        return self.logic(view).GetSliceNode()

    def layers(self, view: str) -> slicer.vtkMRMLSliceCompositeNode:
        return self.logic(view).GetSliceCompositeNode()

    def to_ras(self, view: str) -> np.ndarray:
        """From the view's pixels to RAS."""
        return slicer.util.arrayFromVTKMatrix(self.node(view).GetXYToRAS())

    def pixels(self, view: str) -> np.ndarray:
        """Grey values of the view, shape (height, width), first row at the bottom."""
        return grey(self.logic(view).GetImageDataConnection())

    def expected(self, view: str, volume, to_world=None, *, order=1, step=1) -> tuple[np.ndarray, np.ndarray]:
        """Grey values that every so many pixels of the view should have for a volume, and which are inside it."""
        matrix = to_world
        if matrix is None:
            matrix = slicer.util.arrayFromVTKMatrix(ijk_to_ras(volume))
        width, height, _depth = self.node(view).GetDimensions()
        rows, columns = np.mgrid[:height:step, :width:step]
        pixels = np.stack([columns, rows, 0 * rows, 0 * rows + 1], -1).reshape(-1, 4)
        index = (pixels @ (np.linalg.inv(matrix) @ self.to_ras(view)).T)[:, :3]
        values = slicer.util.arrayFromVolume(volume).astype(float)
        sampled = map_coordinates(values, index[:, ::-1].T, order=order, mode="nearest", prefilter=False)
        display = volume.GetDisplayNode()
        low = display.GetLevel() - display.GetWindow() / 2
        shown = np.clip((sampled - low) / display.GetWindow() * 255, 0, 255)
        inside = np.all((index >= 0) & (index <= np.array(values.shape[::-1]) - 1), axis=1)
        return shown.reshape(rows.shape), inside.reshape(rows.shape)

    def shows(self, view: str, volume, to_world=None, *, order=1) -> bool:
        """Whether the view shows the volume where it should: to the rounding of whole HU, then of whole grey values."""
        expected, inside = self.expected(view, volume, to_world, order=order, step=3)
        assert inside.sum() > 1000, "the volume fills too little of the view to tell"
        off = np.abs(self.pixels(view)[::3, ::3].astype(float) - expected)[inside]
        tolerance = 1.5 + 0.6 * 255 / volume.GetDisplayNode().GetWindow()
        # at nearest voxels, rounding of the very middle between two may go either way
        return np.mean(off <= tolerance) > (0.97 if order == 0 else 0.9999)


def grey(connection) -> np.ndarray:
    """The first channel of an image in VTK's pipeline, shape (height, width)."""
    connection.GetProducer().Update()
    image = connection.GetProducer().GetOutputDataObject(connection.GetIndex())
    width, height, _depth = image.GetDimensions()
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1)[..., 0]


def ijk_to_ras(volume):
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return matrix


@pytest.fixture
def screen() -> Screen:
    return Screen()
