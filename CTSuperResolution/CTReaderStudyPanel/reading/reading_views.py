"""Views of a reading: one image, or two beside each other, linked, in one plane at a time, with nothing written in them
that could tell what they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import slicer
import vtk
from CTSuperResolutionPanel.compare.captions import Captions
from CTSuperResolutionPanel.compare.display_link import DisplayLink
from CTSuperResolutionPanel.compare.layouts import PLANES, Arrangement, is_our_layout
from CTSuperResolutionPanel.compare.slice_view import SliceView
from CTSuperResolutionPanel.compare.user_settings import UserSettings, crosshair_node, layout_node, show_arrangement
from CTSuperResolutionPanel.compare.view_placement import ViewPlacement
from slicer.util import VTKObservationMixin

from CTReaderStudyPanel.reading.clicks import Clicks
from CTReaderStudyPanel.reading.look import Look
from CTReaderStudyPanel.reading.surroundings import Surroundings
from CTReaderStudyPanel.reading.window_lock import WindowLock

CAPTION_COLOR = (0.8, 0.8, 0.8)


class ReadingViews(VTKObservationMixin):
    """Shows the images of one trial at a time.

    Args:
        on_taken_away: called when another layout was chosen, so that the images are no longer seen.
        on_seen: called when another slice, zoom or window is on the screen.

    Attributes:
        plane: one of PLANES.
        look: what was seen since :meth:`show`.
        on_click: takes where the reader clicks, RAS in mm, and says whether that was of use; None where it is of none.
        volumes: what is shown, from left to right.
    """

    def __init__(self, on_taken_away: Callable[[], None], on_seen: Callable[[], None]) -> None:
        super().__init__()
        self._on_taken_away, self._on_seen = on_taken_away, on_seen
        self.on_click: Callable[[Sequence[float]], bool] | None = None
        self.plane, self.look = PLANES[0], Look()
        self.volumes: list[slicer.vtkMRMLScalarVolumeNode] = []
        self._captions: list[Captions] = []
        self._clicks: list[Clicks] = []
        self._texts: list[str] = []
        self._views: list[SliceView] = []
        self._placement, self._link, self._lock = ViewPlacement(), DisplayLink(), WindowLock()
        self._user: UserSettings | None = None
        self._surroundings: Surroundings | None = None
        self._busy = False

    def take(self) -> None:
        """Remember the user's views, and clear the screen of what does not belong to a reading."""
        if self._user is None:
            self._user, self._surroundings = UserSettings(), Surroundings()
            crosshair_node().SetCrosshairMode(slicer.vtkMRMLCrosshairNode.NoCrosshair)

    def show(
        self,
        volumes: Sequence[slicer.vtkMRMLScalarVolumeNode],
        captions: Sequence[str],
        plane: str,
        window: tuple[float, float] | None,
    ) -> None:
        """Show the images of a new trial whole, at their middle slice.

        Args:
            volumes: one, or two on one grid; from left to right. captions: of each.
            plane: one of PLANES.
            window: centre and width that are locked, HU; None leaves the window to the reader.
        """
        self._release()
        self._placement.forget()
        self.volumes, self._texts, self.plane, self.look = [*volumes], [*captions], plane, Look()
        self._link.connect(self.volumes)
        self._lock.hold(self.volumes, window)
        self._arrange()
        self._centre()
        self._note()

    def show_again(self) -> None:
        """Show what was shown before :meth:`blank`, in the same place."""
        self._arrange()

    def blank(self, text: str = "") -> None:
        """Show no image, and perhaps a text in its place."""
        for view in self._views:
            view.show(None)
        self._write([text] * len(self._views))

    def set_plane(self, plane: str) -> None:
        """Show another of PLANES."""
        if plane != self.plane and self.volumes:
            self.plane = plane
            self._arrange()
            self._note()

    def scroll(self, slices: int) -> None:
        """Go on by some slices, backwards where they are fewer than 0."""
        if not self._views or not self.volumes:
            return
        view, (low, high) = self._views[0], self._through()
        step = view.slice_spacing(self.volumes[0])
        offset = view.logic.GetSliceOffset() + slices * step
        view.logic.StartSliceOffsetInteraction()
        view.logic.SetSliceOffset(min(max(offset, low + step / 2), high - step / 2))
        view.logic.EndSliceOffsetInteraction()
        for other in self._views[1:]:
            other.follow(view)

    def reset(self) -> None:
        """Show the whole images at their middle slice."""
        self._placement.release()
        self._placement.forget()
        self._placement.take(self._views, self.volumes)
        self._centre()

    def set_window(self, centre: float, width: float) -> None:
        """Choose a window, HU, where it is not locked."""
        self._link.set_window(width, centre)

    @property
    def slice_views(self) -> list[SliceView]:
        """The views on the screen, from left to right."""
        return [*self._views]

    @property
    def position(self) -> tuple[int, int]:
        """Which slice is shown, from 1, and how many there are in this plane."""
        low, high = self._through()
        step = self._views[0].slice_spacing(self.volumes[0])
        count = max(1, round((high - low) / step))
        return min(max(int((self._views[0].logic.GetSliceOffset() - low) / step), 0), count - 1) + 1, count

    def give_back(self) -> None:
        """Give the user's layout, views and surroundings back."""
        self._release()
        self._replace_views([])
        self.volumes = []
        for remembered in (self._surroundings, self._user):
            if remembered is not None:
                remembered.restore()
        self._user = self._surroundings = None

    def _release(self) -> None:
        """Follow neither views nor displays any more."""
        self.removeObservers()
        self._link.disconnect()
        self._lock.release()
        self._placement.release()

    def _arrange(self) -> None:
        """Bring the volumes into views of the plane."""
        self._busy = True  # the layout changes by our own doing
        try:
            self._placement.release()
            arrangement = Arrangement(planes=(self.plane,), volumes=len(self.volumes))
            show_arrangement(arrangement)
            self._replace_views([SliceView(cell) for cell in arrangement.cells()])
            for view, volume in zip(self._views, self.volumes, strict=True):
                view.prepare()
                view.show(volume)
            self._placement.take(self._views, self.volumes)
            self._write(self._texts)
            self._observe()
        finally:
            self._busy = False

    def _replace_views(self, views: list[SliceView]) -> None:
        """Have other views; those that go are emptied and look as they did."""
        for captions in self._captions:
            captions.remove()
        for clicks in self._clicks:
            clicks.remove()
        for view in self._views:
            if view.cell.view not in {kept.cell.view for kept in views}:
                view.show(None)
            _set_decorated(view, True)
        self._views = views
        for view in views:
            _set_decorated(view, False)
        self._captions = [Captions(_widget(view).sliceView()) for view in views]
        self._clicks = [Clicks(_widget(view).sliceView().interactor(), partial(self._clicked, view)) for view in views]

    def _write(self, texts: Sequence[str]) -> None:
        for captions, text in zip(self._captions, texts, strict=True):
            captions.write([(text, CAPTION_COLOR)])

    def _through(self) -> tuple[float, float]:
        """From where to where the first volume reaches across the plane, mm."""
        bounds = [0.0] * 6
        self._views[0].logic.GetVolumeSliceBounds(self.volumes[0], bounds)
        return bounds[4], bounds[5]

    def _centre(self) -> None:
        """Go to the middle slice, wherever the user's own views are."""
        leader, *others = self._views
        leader.logic.SetSliceOffset(sum(self._through()) / 2)
        leader.logic.SnapSliceOffsetToIJK()
        for view in others:
            view.follow(leader)

    def _observe(self) -> None:
        self.removeObservers()
        modified = vtk.vtkCommand.ModifiedEvent
        self.addObserver(layout_node(), modified, self._on_layout_modified)
        self.addObserver(self._views[0].node, modified, self._note)
        self.addObserver(self.volumes[0].GetDisplayNode(), modified, self._note)

    def _clicked(self, view: SliceView, column: int, row: int) -> bool:
        if self.on_click is None:
            return False
        return self.on_click(view.node.GetXYToRAS().MultiplyPoint((column, row, 0, 1))[:3])

    def _note(self, _node: slicer.vtkMRMLNode | None = None, _event: str | None = None) -> None:
        """Keep what is on the screen now."""
        if not self._busy and self._views and self._views[0].layers.GetBackgroundVolumeID():
            self.look.see(self.plane, self.position[0] - 1)
            self.look.zoom = round(self._views[0].zoom(), 4)
            display = self.volumes[0].GetDisplayNode()
            self.look.show_window(display.GetLevel(), display.GetWindow())
            self._on_seen()

    def _on_layout_modified(self, layout: slicer.vtkMRMLLayoutNode, _event: str) -> None:
        if not self._busy and not is_our_layout(layout.GetViewArrangement()):
            self._on_taken_away()


def _widget(view: SliceView) -> slicer.qMRMLSliceWidget:
    return slicer.app.layoutManager().sliceWidget(view.cell.view)


def _set_decorated(view: SliceView, decorated: bool) -> None:
    """Show or hide the bar above a view and the texts in its corners, which name volumes and what they are."""
    widget = _widget(view)
    if widget is None:
        return
    widget.sliceController().visible = decorated
    for annotation in (widget.sliceView().cornerAnnotation(), widget.overlayCornerAnnotation()):
        annotation.SetVisibility(decorated)
    widget.sliceView().scheduleRender()
