"""Images of the trials that are shown now and next, loaded into the scene in steps."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import slicer
import vtk
from CTSuperResolutionPanel.process.stepper import Stepper
from CTSuperResolutionPanel.scene import nrrd, voxel_geometry
from CTSuperResolutionPanel.scene.result_volumes import new_image, set_saved

NAME = "Image"
"""Of every volume: a name must tell neither what an image is nor that it was seen before."""


class TrialImages:
    """Volumes in the scene by the names of their files.

    Args:
        on_loaded: called after each image that came into the scene.
        on_failed: called with the file's name and the reason where one cannot be read.
    """

    def __init__(self, on_loaded: Callable[[], None], on_failed: Callable[[str, Exception], None]) -> None:
        self._on_loaded, self._on_failed = on_loaded, on_failed
        self._nodes: dict[str, slicer.vtkMRMLScalarVolumeNode] = {}
        self._wanted: list[Path] = []
        self._window = (0.0, 1.0)
        self._stepper: Stepper | None = None
        self._loading = ""

    def want(self, paths: Sequence[Path], window: tuple[float, float]) -> None:
        """Have these images loaded, in this order, and all others removed.

        Args:
            paths: the files. window: centre and width that they are shown with, HU.
        """
        self._wanted, self._window = list(dict.fromkeys(paths)), window
        names = [path.name for path in self._wanted]
        if self._loading not in names:
            self._stop()
        for name in [name for name in self._nodes if name not in names]:
            remove_with_display(self._nodes.pop(name))
        self._load_next()

    def of(self, names: Sequence[str]) -> list[slicer.vtkMRMLScalarVolumeNode] | None:
        """The volumes of these files; None while one of them is not there."""
        found = [self._nodes[name] for name in names if name in self._nodes]
        return found if len(found) == len(names) else None

    def remove(self) -> None:
        """Take all of them out of the scene, and load no more."""
        self._stop()
        for node in self._nodes.values():
            remove_with_display(node)
        self._nodes, self._wanted = {}, []

    def _stop(self) -> None:
        if self._stepper is not None:
            self._stepper.stop()
        self._stepper, self._loading = None, ""

    def _load_next(self) -> None:
        missing = [path for path in self._wanted if path.name not in self._nodes]
        if self._stepper is not None or not missing:
            return
        path = missing[0]
        self._loading = path.name
        self._stepper = Stepper(
            _load(path), done=lambda loaded: self._loaded(path, *loaded), failed=lambda error: self._failed(path, error)
        )
        self._stepper.start()

    def _loaded(self, path: Path, header: nrrd.Header, image: vtk.vtkImageData) -> None:
        self._stop()
        self._nodes[path.name] = _node(header, image, self._window)
        self._load_next()
        self._on_loaded()

    def _failed(self, path: Path, error: Exception) -> None:
        self._stop()
        self._wanted = [wanted for wanted in self._wanted if wanted != path]
        self._on_failed(path.name, error)
        self._load_next()


def remove_with_display(node: slicer.vtkMRMLDisplayableNode) -> None:
    """Take a node out of the scene, where it still is, and what says how it looks."""
    for each in (node, node.GetDisplayNode()):
        if each is not None and slicer.mrmlScene.IsNodePresent(each):
            slicer.mrmlScene.RemoveNode(each)


def _load(path: Path) -> Generator[float, None, tuple[nrrd.Header, vtk.vtkImageData]]:
    header = nrrd.read_header(path)
    image, array = new_image(header)
    yield from nrrd.read_into(path, header, array)
    return header, image


def _node(header: nrrd.Header, image: vtk.vtkImageData, window: tuple[float, float]) -> slicer.vtkMRMLScalarVolumeNode:
    """A volume that looks as every other one does, and is not saved with the user's scene."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", NAME)
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(voxel_geometry.LPS @ header.ijk_to_lps))
    display = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeDisplayNode", NAME)
    display.SetAutoWindowLevel(False)
    display.SetWindowLevel(window[1], window[0])
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeGrey")
    display.SetInterpolate(True)
    node.SetAndObserveDisplayNodeID(display.GetID())
    node.SetAndObserveImageData(image)
    set_saved(node, False)
    return node
