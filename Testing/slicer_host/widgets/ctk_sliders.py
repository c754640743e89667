"""ctkSliderWidget, which slice views have in their bar: a slider beside a spin box."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QSlider, QWidget

from slicer_host.pythonqt.classes import register

from .properties import Property, of_part

STEPS_AT_MOST = 100_000


@register
class ctkSliderWidget(QWidget):
    """A slider over real numbers, in steps of ``singleStep``, beside a spin box that holds the value."""

    valueChanged = Signal(float)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._slider, self._spin = QSlider(Qt.Orientation.Horizontal, self), QDoubleSpinBox(self)
        self._spin.setRange(0, 99)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider, 1)
        layout.addWidget(self._spin)
        self._slider.valueChanged.connect(self._slid)
        self._spin.valueChanged.connect(self._typed)
        self._fit()

    def setValue(self, value: float) -> None:
        """Go to a value within the range."""
        self._spin.setValue(value)

    def _set(self, name: str, value: float) -> None:
        self._spin.setProperty(name, value)
        self._fit()

    def _fit(self) -> None:
        """Give the slider the spin box's range and value."""
        steps = round((self._spin.maximum() - self._spin.minimum()) / self._spin.singleStep())
        self._slider.blockSignals(True)
        self._slider.setRange(0, min(steps, STEPS_AT_MOST))
        self._slider.setValue(round((self._spin.value() - self._spin.minimum()) / self._spin.singleStep()))
        self._slider.blockSignals(False)

    def _slid(self, at: int) -> None:
        self._spin.setValue(self._spin.minimum() + at * self._spin.singleStep())

    def _typed(self, value: float) -> None:
        self._fit()
        self.valueChanged.emit(value)

    value = of_part(float, "_spin", "value")
    minimum = Property(float, lambda self: self._spin.minimum(), lambda self, value: self._set("minimum", value))
    maximum = Property(float, lambda self: self._spin.maximum(), lambda self, value: self._set("maximum", value))
    singleStep = Property(
        float, lambda self: self._spin.singleStep(), lambda self, value: self._set("singleStep", value)
    )
    decimals = of_part(int, "_spin", "decimals")
