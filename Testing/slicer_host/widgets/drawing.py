"""Drawing views with VTK, as Slicer does: markups, crosshair, volume rendering. Off unless the host is started with it.

Tests compare what the logics compute, which needs no OpenGL. Pictures for people want more than that, and get it where
there is an OpenGL without a screen: EGL on Linux, with Mesa in software if there is no GPU.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import slicer
import vtk
from PySide6.QtGui import QImage
from vtk.util.numpy_support import vtk_to_numpy

IN_SLICES = ["ModelSlice", "Crosshair", "OrientationMarker", "Ruler", "ScalarBar", "Markups"]
IN_3D = ["Camera", "View", "Model", "ThreeDReformat", "OrientationMarker", "Ruler", "VolumeRendering", "Markups"]

_on = False


def turn_on() -> None:
    """Draw all views that are made from now on."""
    global _on
    _on = True
    if sys.platform == "linux":
        os.environ["VTK_DEFAULT_OPENGL_WINDOW"] = "vtkEGLRenderWindow"


def is_on() -> bool:
    """Whether views are drawn."""
    return _on


def new_window() -> Any:
    """A render window: one that can be drawn, or one that waits for a context from outside and needs nothing."""
    if not _on:
        return vtk.vtkGenericOpenGLRenderWindow()
    window = vtk.vtkRenderWindow()
    window.SetOffScreenRendering(True)
    return window


def manage(renderer: Any, node: Any, style: Any, changed: Callable[..., None]) -> Any:
    """Let Slicer's displayable managers fill a renderer with what its view node is to show."""
    of_slice = node.IsA("vtkMRMLSliceNode")
    factories = (slicer.vtkMRMLSliceViewDisplayableManagerFactory, slicer.vtkMRMLThreeDViewDisplayableManagerFactory)
    factory = factories[not of_slice].GetInstance()
    factory.SetMRMLApplicationLogic(slicer.app.applicationLogic())
    for name in IN_SLICES if of_slice else IN_3D:
        full = f"vtkMRML{name}DisplayableManager"
        if not factory.IsDisplayableManagerRegistered(full):
            factory.RegisterDisplayableManager(full)
    group = factory.InstantiateDisplayableManagers(renderer)
    group.SetMRMLDisplayableNode(node)
    group.AddObserver(vtk.vtkCommand.UpdateEvent, changed)
    if style is not None:
        style.SetDisplayableManagers(group)
    return group


def image_actor(renderer: Any) -> Any:
    """Put a picture behind everything else; returns the mapper that takes its pipeline."""
    mapper, actor = vtk.vtkImageMapper(), vtk.vtkActor2D()
    mapper.SetColorWindow(255)
    mapper.SetColorLevel(127.5)
    actor.SetMapper(mapper)
    actor.GetProperty().SetDisplayLocationToBackground()
    actor.SetVisibility(False)
    renderer.AddViewProp(actor)
    return actor


def picture(window: Any) -> QImage:
    """Draw the window and take its picture."""
    window.Render()
    taken = vtk.vtkWindowToImageFilter()
    taken.SetInput(window)
    taken.ReadFrontBufferOff()
    taken.Update()
    width, height, _ = taken.GetOutput().GetDimensions()
    pixels = vtk_to_numpy(taken.GetOutput().GetPointData().GetScalars()).reshape(height, width, 3)
    upright = np.ascontiguousarray(pixels[::-1])
    return QImage(upright.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
