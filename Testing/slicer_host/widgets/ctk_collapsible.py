"""ctkCollapsibleButton: a title that folds what is below it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QStyle, QStyleOptionButton, QWidget

from slicer_host.pythonqt.classes import register

from .properties import Property


class Fold(QObject):
    """Hides the children of a widget while it is folded, and what is shown of them meanwhile, until it is opened."""

    _folded = False  # of the class, for events come also after Python has taken the object apart

    def __init__(self, widget: QWidget):
        super().__init__(widget)
        self._widget = widget

    def set(self, folded: bool) -> None:
        """Hide the direct children, or show again those that are meant to be seen."""
        self._folded = False  # what comes now is no wish of others
        for child in self._widget.children():
            if not isinstance(child, QWidget) or child.isWindow():
                continue
            child.installEventFilter(self)
            if folded and not child.isHidden():
                self._hide(child)
            elif not folded and child.property("_folded"):
                child.setProperty("_folded", None)
                child.show()
        self._folded = folded

    def eventFilter(self, child: QObject, event: QEvent) -> bool:
        """Others show or hide a child while it is folded: remember that for later."""
        if self._folded and event.type() == QEvent.Type.ShowToParent:
            self._folded = False
            self._hide(child)
            self._folded = True
        elif self._folded and event.type() == QEvent.Type.HideToParent:
            child.setProperty("_folded", None)
        return False

    @staticmethod
    def _hide(child: QWidget) -> None:
        child.setProperty("_folded", True)
        child.hide()
        # Or Qt would not tell that it is hidden once more, then by others.
        child.setAttribute(Qt.WidgetAttribute.WA_WState_ExplicitShowHide, False)


@register
class ctkCollapsibleButton(QAbstractButton):
    """A button over the widgets of its own layout, which it shows and hides."""

    contentsCollapsed = Signal(bool)

    def __init__(self, first: str | QWidget | None = None, parent: QWidget | None = None):
        super().__init__(parent if isinstance(first, str) else first)
        self._children = Fold(self)
        self.setText(first if isinstance(first, str) else "Button")
        self.setCheckable(True)
        self.setChecked(True)
        self.toggled.connect(self._fold)
        self.setContentsMargins(0, self._header(), 0, 0)

    collapsed = Property(bool, lambda self: not self.isChecked(), lambda self, value: self.setChecked(not value))

    def event(self, event: QEvent) -> bool:
        """Children that come while it is folded are hidden too."""
        result = super().event(event)
        if event.type() == QEvent.Type.ChildPolished and not self.isChecked():
            self._children.set(True)
        return result

    def sizeHint(self) -> QSize:
        """The title, and the layout below where it is open."""
        width = self.fontMetrics().horizontalAdvance(self.text()) + 40
        inside = self.layout().totalSizeHint() if self.layout() and self.isChecked() else QSize(0, self._header())
        return QSize(max(width, inside.width()), max(inside.height(), self._header()))

    def minimumSizeHint(self) -> QSize:
        """As small as the layout allows."""
        inside = self.layout().totalMinimumSize() if self.layout() and self.isChecked() else QSize(0, self._header())
        return QSize(max(60, inside.width()), max(inside.height(), self._header()))

    def hitButton(self, position: QPoint) -> bool:
        """Only the title is a button."""
        return QRect(0, 0, self.width(), self._header()).contains(position)

    def paintEvent(self, event: QPaintEvent) -> None:
        """A button with a triangle and the title."""
        painter = QPainter(self)
        option = QStyleOptionButton()
        option.initFrom(self)
        option.rect = QRect(0, 0, self.width(), self._header())
        option.state |= QStyle.StateFlag.State_Raised
        self.style().drawControl(QStyle.ControlElement.CE_PushButtonBevel, option, painter, self)
        triangle = QStyleOptionButton(option)
        triangle.rect = QRect(6, (self._header() - 10) // 2, 10, 10)
        open_ = QStyle.PrimitiveElement.PE_IndicatorArrowDown
        arrow = open_ if self.isChecked() else QStyle.PrimitiveElement.PE_IndicatorArrowRight
        self.style().drawPrimitive(arrow, triangle, painter, self)
        painter.drawText(option.rect.adjusted(24, 0, -6, 0), Qt.AlignmentFlag.AlignVCenter, self.text())

    def _header(self) -> int:
        return self.fontMetrics().height() + 10

    def _fold(self, opened: bool) -> None:
        self._children.set(not opened)
        self.updateGeometry()
        self.contentsCollapsed.emit(not opened)
