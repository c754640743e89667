"""qMRMLPlotWidget and its view: the curves of a chart node, painted plainly."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QVBoxLayout, QWidget
from vtk.util.numpy_support import vtk_to_numpy

from slicer_host.pythonqt.classes import register

from .mrml_widget import qMRMLWidget

MARGINS = (56, 24, 12, 40)
"""Room for axes and titles: left, top, right, bottom."""


@register
class qMRMLPlotView(QWidget):
    """A plot view. Its nodes are real; its picture has curves, axes and a legend, and no more."""

    _node: Any = None

    def setMRMLPlotViewNode(self, node: Any) -> None:
        """Show another view node."""
        self._node = node

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the chart."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor("white"))
        chart = self._node.GetPlotChartNode() if self._node is not None else None
        curves = _curves(chart) if chart is not None else []
        left, top, right, bottom = MARGINS
        inside = QRectF(self.rect()).adjusted(left, top, -right, -bottom)
        painter.setPen(QColor("black"))
        painter.drawRect(inside)
        if not curves:
            return
        low = np.min([values.min(axis=0) for _, values in curves], axis=0)
        size = np.max([values.max(axis=0) for _, values in curves], axis=0) - low
        size[size == 0] = 1.0
        _paint_axes(painter, inside, chart, low, size)
        for place, (series, values) in enumerate(curves):
            at = (values - low) / size
            points = [QPointF(inside.left() + x * inside.width(), inside.bottom() - y * inside.height()) for x, y in at]
            color = QColor.fromRgbF(*series.GetColor())
            painter.setPen(QPen(color, series.GetLineWidth()))
            painter.drawPolyline(points)
            if chart.GetLegendVisibility():
                where = inside.adjusted(0, 4 + 16 * place, -8, 0)
                painter.drawText(where, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop, series.GetName())


@register
class qMRMLPlotWidget(qMRMLWidget):
    """A plot view."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._view = qMRMLPlotView(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._view)

    def show_node(self, node: Any, application_logic: Any) -> None:
        """The host's way to show a plot view node."""
        self.setMRMLScene(node.GetScene())
        self._view.setMRMLPlotViewNode(node)

    def plotView(self) -> qMRMLPlotView:
        """The view."""
        return self._view

    viewWidget = plotView

    def mrmlPlotViewNode(self) -> Any:
        """The node of this view."""
        return self._view._node

    mrmlAbstractViewNode = mrmlPlotViewNode


def _curves(chart: Any) -> list[tuple[Any, np.ndarray]]:
    """The chart's series that have points, each with its x and y, shape (points, 2)."""
    found = []
    for index in range(chart.GetNumberOfPlotSeriesNodes()):
        series = chart.GetNthPlotSeriesNode(index)
        table = series.GetTableNode().GetTable() if series is not None and series.GetTableNode() else None
        y = table.GetColumnByName(series.GetYColumnName()) if table is not None else None
        if y is None or y.GetNumberOfTuples() < 2:
            continue
        x = table.GetColumnByName(series.GetXColumnName() or "")
        values = vtk_to_numpy(y).astype(float)
        by_index = series.GetPlotType() == slicer.vtkMRMLPlotSeriesNode.PlotTypeLine or x is None
        positions = np.arange(len(values)) if by_index else vtk_to_numpy(x).astype(float)
        points = np.column_stack([positions, values])
        points = points[np.isfinite(points).all(axis=1)]
        if len(points) > 1:
            found.append((series, points))
    return found


def _paint_axes(painter: QPainter, inside: QRectF, chart: Any, low: np.ndarray, size: np.ndarray) -> None:
    """Titles, and the lowest and highest number of each axis."""
    middle = Qt.AlignmentFlag.AlignHCenter
    right, top, bottom = Qt.AlignmentFlag.AlignRight, Qt.AlignmentFlag.AlignTop, Qt.AlignmentFlag.AlignBottom
    below = QRectF(inside.left(), inside.bottom() + 4, inside.width(), MARGINS[3] - 6)
    beside = QRectF(0, inside.top(), MARGINS[0] - 6, inside.height())
    if chart.GetTitle() and chart.GetTitleVisibility():
        painter.drawText(QRectF(inside.left(), 2, inside.width(), MARGINS[1]), middle | top, chart.GetTitle())
    painter.drawText(below, middle | bottom, chart.GetXAxisTitle() or "")
    painter.drawText(below, Qt.AlignmentFlag.AlignLeft | top, f"{low[0]:.4g}")
    painter.drawText(below, right | top, f"{low[0] + size[0]:.4g}")
    painter.drawText(beside, right | bottom, f"{low[1]:.4g}")
    painter.drawText(beside, right | top, f"{low[1] + size[1]:.4g}")
    painter.drawText(beside, right | Qt.AlignmentFlag.AlignVCenter, chart.GetYAxisTitle() or "")
