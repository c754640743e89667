"""Layouts of the comparison: which view shows which volume in which plane, and Slicer's XML for that.

All views carry names and a view group of their own, so that the user's Red, Yellow and Green, their links and their
layouts are not touched.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

PLANES = ("Axial", "Coronal", "Sagittal")

SIDE_BY_SIDE, SWIPE, FLICKER, VOLUMES_3D = KINDS = ("side", "swipe", "flicker", "3d")
"""A view for every volume; one view with a divider; one view in which a key changes the volume; volume rendering."""

DIFFERENCE = 3
"""Content of a view, after the places 0, 1, 2 of the volumes."""

LABELS = ("1", "2", "3", "2-1")
COLORS = ("#5b8def", "#f2a33a", "#9bc53d", "#b0b0b0")
"""By content, the same in views and in the profile's plot."""

VIEW_GROUP = 17200
"""Views of one group follow each other; a number that no other layout uses."""

FIRST_LAYOUT = 17200
"""Number of the first of our layouts in Slicer's list, which ends near 100 with its own ones."""

NAME = "CTSR"
"""How the names of all our views begin."""

PLOT_VIEW = f"{NAME}Profile"


@dataclass(frozen=True)
class Cell:
    """One view: its name, its plane ("" in 3D), and its content (place of the volume, or DIFFERENCE)."""

    view: str
    plane: str
    content: int


@dataclass(frozen=True)
class Arrangement:
    """What is shown at once.

    Attributes:
        kind: one of KINDS.
        planes: one of PLANES, or all three; not used in 3D.
        volumes: number of volumes compared, 2 or 3.
        difference: a view of the difference volume is added (not in 3D).
        profile: a plot is added below.
    """

    kind: str = SIDE_BY_SIDE
    planes: tuple[str, ...] = ("Axial",)
    volumes: int = 2
    difference: bool = False
    profile: bool = False

    def contents(self) -> tuple[int, ...]:
        """Contents that have views of their own, in their order. Swipe and flicker share the first volume's view."""
        one_view = self.kind in (SWIPE, FLICKER)
        shown = tuple(range(1 if one_view else self.volumes))
        return (*shown, DIFFERENCE) if self.difference and self.kind != VOLUMES_3D else shown

    def rows(self) -> list[list[Cell]]:
        """Views by rows: volumes beside each other for one plane, below each other for three."""
        if self.kind == VOLUMES_3D:
            return [[Cell(f"{NAME}3D{LABELS[content]}", "", content) for content in self.contents()]]
        by_content = [
            [Cell(f"{NAME}{plane}{LABELS[content]}", plane, content) for plane in self.planes]
            for content in self.contents()
        ]
        return by_content if len(self.planes) > 1 else [[row[0] for row in by_content]]

    def cells(self) -> list[Cell]:
        """All views, row by row."""
        return [cell for row in self.rows() for cell in row]

    def number(self) -> int:
        """Slicer's number of this layout; the same views in the same places always have the same."""
        plane = 3 if len(self.planes) > 1 else PLANES.index(self.planes[0])
        where = 4 if self.kind == VOLUMES_3D else plane
        contents = self.contents()
        columns = 2 * (len(contents) - (DIFFERENCE in contents) - 1) + (DIFFERENCE in contents)
        return FIRST_LAYOUT + 2 * (6 * where + columns) + self.profile

    def xml(self) -> str:
        """The layout in Slicer's layout language."""
        rows = [_layout("horizontal", [_view(cell) for cell in row]) for row in self.rows()]
        views = rows[0] if len(rows) == 1 else _layout("vertical", rows)
        if not self.profile:
            return views
        plot = (
            f'<view class="vtkMRMLPlotViewNode" singletontag="{PLOT_VIEW}">'
            '<property name="viewlabel" action="default">P</property></view>'
        )
        return (
            f'<layout type="vertical" split="true"><item splitSize="700">{views}</item>'
            f'<item splitSize="300">{plot}</item></layout>'
        )


def is_our_layout(number: int) -> bool:
    """Whether a layout number is one of the comparison's."""
    return FIRST_LAYOUT <= number < FIRST_LAYOUT + 60


def is_our_view(name: str | None) -> bool:
    """Whether a view of this layout name is one of the comparison's."""
    return (name or "").startswith(NAME)


def _layout(direction: str, items: list[str]) -> str:
    return f'<layout type="{direction}">' + "".join(f"<item>{item}</item>" for item in items) + "</layout>"


def _view(cell: Cell) -> str:
    """XML of one view. The default action sets a property only when the view is created."""
    properties = {
        "viewlabel": LABELS[cell.content] + cell.plane[:1],
        "viewcolor": COLORS[cell.content],
        "viewgroup": str(VIEW_GROUP),
    }
    if cell.plane:
        properties = {"orientation": cell.plane, **properties}
    inside = "".join(
        f'<property name="{name}" action="default">{value}</property>' for name, value in properties.items()
    )
    kind = "vtkMRMLSliceNode" if cell.plane else "vtkMRMLViewNode"
    return f'<view class="{kind}" singletontag={quoteattr(cell.view)}>{inside}</view>'
