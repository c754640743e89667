"""Captions of the views: names of the volumes, for nothing else tells volumes this alike apart."""

from __future__ import annotations

from collections.abc import Sequence

import slicer
import vtk

SIZE = 15


class Captions:
    """Names at the top of one view, one in its left and, in a swipe view, one in its right corner.

    Args:
        widget: the ``qMRMLSliceView`` or ``qMRMLThreeDView``.
    """

    def __init__(self, widget: slicer.qMRMLSliceView | slicer.qMRMLThreeDView) -> None:
        self._widget = widget
        self._renderer = widget.renderWindow().GetRenderers().GetFirstRenderer()
        self._actors = [_actor(right=False), _actor(right=True)]
        for actor in self._actors:
            self._renderer.AddViewProp(actor)

    def write(self, names: Sequence[tuple[str, tuple[float, float, float]]]) -> None:
        """Show up to two names with their colours (red, green, blue; 0 to 1): the first left, the second right."""
        empty = [("", (0.0, 0.0, 0.0))] * (len(self._actors) - len(names))
        for actor, (name, color) in zip(self._actors, [*names, *empty], strict=True):
            actor.SetInput(name)
            actor.SetVisibility(bool(name))
            actor.GetTextProperty().SetColor(*color)
        self._widget.scheduleRender()

    def remove(self) -> None:
        """Take the names away."""
        for actor in self._actors:
            self._renderer.RemoveViewProp(actor)
        self._widget.scheduleRender()


def _actor(*, right: bool) -> vtk.vtkTextActor:
    """A line of text in one of the upper corners, legible on any background."""
    actor = vtk.vtkTextActor()
    place = actor.GetPositionCoordinate()
    place.SetCoordinateSystemToNormalizedViewport()
    place.SetValue(0.98 if right else 0.02, 0.98)
    text = actor.GetTextProperty()
    text.SetFontFamilyToArial()
    text.SetFontSize(SIZE)
    text.ShadowOn()
    text.SetVerticalJustificationToTop()
    if right:
        text.SetJustificationToRight()
    return actor
