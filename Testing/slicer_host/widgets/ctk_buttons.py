"""CTK's buttons and boxes that are Qt's with a few more properties."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QIcon
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QSizePolicy,
    QTextBrowser,
    QToolButton,
    QWidget,
)

from slicer_host.pythonqt.classes import register

from .properties import Property, stored


@register
class ctkPushButton(QPushButton):
    """A button whose text and icon can be aligned."""

    buttonTextAlignment = stored(int, "buttonTextAlignment", int(Qt.AlignmentFlag.AlignCenter.value))
    iconAlignment = stored(int, "iconAlignment", int(Qt.AlignmentFlag.AlignLeft.value))
    elideMode = stored(int, "elideMode", 3)


@register
class ctkMenuButton(QPushButton):
    """A button with an arrow that opens its menu."""


@register
class ctkCheckBox(QCheckBox):
    """A check box with an icon as its mark."""

    indicatorIcon = stored(QIcon, "indicatorIcon", QIcon())


@register
class ctkComboBox(QComboBox):
    """A combo box that shows a text where nothing is chosen."""

    NeverScroll, AlwaysScroll, ScrollWithFocus, ScrollWithNoVScrollBar = 0, 1, 2, 4
    defaultText = stored(str, "defaultText", "")
    defaultIcon = stored(QIcon, "defaultIcon", QIcon())
    forceDefault = stored(bool, "forceDefault", False)
    elideMode = stored(int, "elideMode", 3)
    scrollWheelEffect = stored(int, "scrollWheelEffect", 1)
    currentUserDataAsString = Property(
        str, lambda self: str(self.currentData() or ""), lambda self, value: self.setCurrentIndex(self.findData(value))
    )

    def setCurrentUserDataAsString(self, value: str) -> None:
        """Choose the item with that data."""
        self.setCurrentIndex(self.findData(value))


@register
class ctkExpandButton(QToolButton):
    """A small checkable button for more and less."""

    mirrorOnExpand = stored(bool, "mirrorOnExpand", False)
    orientation = stored(int, "orientation", 1)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.setCheckable(True)


@register
class ctkFittedTextBrowser(QTextBrowser):
    """A text that is as high as it needs."""

    collapsed = stored(bool, "collapsed", True)


@register
class ctkSearchBox(QLineEdit):
    """A line edit to search with."""

    showSearchIcon = stored(bool, "showSearchIcon", True)


@register
class ctkMessageBox(QMessageBox):
    """A message box that can be told not to come again."""

    dontShowAgainVisible = stored(bool, "dontShowAgainVisible", False)
    dontShowAgain = stored(bool, "dontShowAgain", False)
    dontShowAgainSettingsKey = stored(str, "dontShowAgainSettingsKey", "")


@register
class ctkColorPickerButton(QPushButton):
    """A button that holds a colour."""

    colorChanged = Signal(QColor)

    def _color_changed(self) -> None:
        self.colorChanged.emit(self._color)

    color = stored(QColor, "color", QColor("black"), _color_changed)
    displayColorName = stored(bool, "displayColorName", True)

    def setColor(self, color: QColor) -> None:
        """Set the colour."""
        self.setProperty("color", color)


@register
class ctkDynamicSpacer(QWidget):
    """A spacer that takes room only while active."""

    active = stored(bool, "active", False)
    activeSizePolicy = stored(QSizePolicy, "activeSizePolicy", QSizePolicy())
    inactiveSizePolicy = stored(QSizePolicy, "inactiveSizePolicy", QSizePolicy())
