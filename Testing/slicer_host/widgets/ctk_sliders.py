"""CTK's sliders and spin boxes for numbers with decimals."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QSlider, QWidget

from slicer_host.pythonqt.classes import register

from .properties import Property, of_part, stored

STEPS_AT_MOST = 100_000


@register
class ctkDoubleSlider(QWidget):
    """A slider over real numbers, in steps of ``singleStep``."""

    valueChanged = Signal(float)
    sliderMoved = Signal(float)
    sliderPressed = Signal()
    sliderReleased = Signal()
    rangeChanged = Signal(float, float)

    def __init__(self, first: object = None, parent: QWidget | None = None):
        upright = isinstance(first, Qt.Orientation)
        super().__init__(parent if upright else first)
        self._slider = QSlider(first if upright else Qt.Orientation.Horizontal, self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider)
        self._low, self._high, self._step, self._value, self._own = 0.0, 99.0, 1.0, 0.0, False
        self._slider.valueChanged.connect(self._moved)
        self._slider.sliderMoved.connect(lambda at: self.sliderMoved.emit(self._low + at * self._step))
        self._slider.sliderPressed.connect(self.sliderPressed)
        self._slider.sliderReleased.connect(self.sliderReleased)
        self._fit()

    def setValue(self, value: float) -> None:
        """Go to a value within the range."""
        value = min(max(value, self._low), self._high)
        if value != self._value:
            self._value = value
            self._show()
            self.valueChanged.emit(value)

    def setOrientation(self, orientation: Qt.Orientation) -> None:
        """Horizontal or vertical."""
        self._slider.setOrientation(orientation)

    def _set_low(self, low: float) -> None:
        self._low, self._high = low, max(low, self._high)
        self._fit()

    def _set_high(self, high: float) -> None:
        self._low, self._high = min(self._low, high), high
        self._fit()

    def _set_step(self, step: float) -> None:
        self._step = step
        self._fit()

    def _fit(self) -> None:
        steps = min(round((self._high - self._low) / self._step), STEPS_AT_MOST)
        self._own = True
        self._slider.setRange(0, steps)
        self._own = False
        self.setValue(self._value)
        self._show()
        self.rangeChanged.emit(self._low, self._high)

    def _show(self) -> None:
        self._own = True
        self._slider.setValue(round((self._value - self._low) / self._step))
        self._own = False

    def _moved(self, at: int) -> None:
        if not self._own:
            self._value = min(self._low + at * self._step, self._high)
            self.valueChanged.emit(self._value)

    value = Property(float, lambda self: self._value, setValue)
    minimum = Property(float, lambda self: self._low, _set_low)
    maximum = Property(float, lambda self: self._high, _set_high)
    singleStep = Property(float, lambda self: self._step, _set_step)
    pageStep = stored(float, "pageStep", 10.0)
    tickInterval = stored(float, "tickInterval", 0.0)
    handleToolTip = stored(str, "handleToolTip", "")
    orientation = of_part(int, "_slider", "orientation")
    tracking = of_part(bool, "_slider", "tracking")
    invertedAppearance = of_part(bool, "_slider", "invertedAppearance")
    invertedControls = of_part(bool, "_slider", "invertedControls")


@register
class ctkSliderWidget(QWidget):
    """A slider beside a spin box."""

    valueChanged = Signal(float)
    valueIsChanging = Signal(float)
    decimalsChanged = Signal(int)
    NoSynchronize, SynchronizeWidth, SynchronizeDecimals, SynchronizeSiblings = 0, 1, 2, 3

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._slider, self._spin = ctkDoubleSlider(self), QDoubleSpinBox(self)
        self._spin.setRange(0, 99)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider, 1)
        layout.addWidget(self._spin)
        self._slider.valueChanged.connect(self._slid)
        self._spin.valueChanged.connect(self._typed)

    def setValue(self, value: float) -> None:
        """Go to a value within the range."""
        self._spin.setValue(value)

    def setDecimals(self, decimals: int) -> None:
        """How many digits are shown after the point."""
        self._spin.setDecimals(decimals)
        self.decimalsChanged.emit(decimals)

    def setSpinBoxVisible(self, visible: bool) -> None:
        """Show or hide the number."""
        self._spin.setVisible(visible)

    def reset(self) -> None:
        """Back to zero."""
        self.setValue(0)

    def _slid(self, value: float) -> None:
        self._spin.setValue(value)

    def _typed(self, value: float) -> None:
        self._slider.setValue(value)
        self.valueIsChanging.emit(value)
        self.valueChanged.emit(value)

    def _set(self, name: str, value: float) -> None:
        self._spin.setProperty(name, value)
        self._slider.setProperty(name, value)

    value = of_part(float, "_spin", "value")
    minimum = Property(float, lambda self: self._spin.minimum(), lambda self, value: self._set("minimum", value))
    maximum = Property(float, lambda self: self._spin.maximum(), lambda self, value: self._set("maximum", value))
    singleStep = Property(
        float, lambda self: self._spin.singleStep(), lambda self, value: self._set("singleStep", value)
    )
    decimals = of_part(int, "_spin", "decimals")
    prefix = of_part(str, "_spin", "prefix")
    suffix = of_part(str, "_spin", "suffix")
    pageStep = of_part(float, "_slider", "pageStep")
    tickInterval = of_part(float, "_slider", "tickInterval")
    tracking = of_part(bool, "_slider", "tracking")
    spinBoxVisible = Property(
        bool, lambda self: not self._spin.isHidden(), lambda self, value: self._spin.setVisible(value)
    )
    popupSlider = stored(bool, "popupSlider", False)
    synchronizeSiblings = stored(int, "synchronizeSiblings", 0)
    invertedAppearance = of_part(bool, "_slider", "invertedAppearance")
    invertedControls = of_part(bool, "_slider", "invertedControls")


@register
class ctkRangeWidget(QWidget):
    """Two spin boxes for a lower and an upper value. The slider between them is not drawn by the host."""

    valuesChanged = Signal(float, float)
    minimumValueChanged = Signal(float)
    maximumValueChanged = Signal(float)
    minimumValueIsChanging = Signal(float)
    maximumValueIsChanging = Signal(float)
    rangeChanged = Signal(float, float)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._lower, self._upper = QDoubleSpinBox(self), QDoubleSpinBox(self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._lower)
        layout.addStretch(1)
        layout.addWidget(self._upper)
        self._low, self._high = 0.0, 99.0
        self.setRange(0, 99)
        self._upper.setValue(99)
        self._lower.valueChanged.connect(self._lower_moved)
        self._upper.valueChanged.connect(self._upper_moved)

    def setRange(self, low: float, high: float) -> None:
        """The lowest and highest that can be chosen."""
        self._low, self._high = low, high
        self._lower.setRange(low, high)
        self._upper.setRange(low, high)
        self.rangeChanged.emit(low, high)

    def setValues(self, low: float, high: float) -> None:
        """Choose both."""
        self._lower.setValue(min(low, high))
        self._upper.setValue(max(low, high))

    def setMinimumValue(self, value: float) -> None:
        """Choose the lower one."""
        self._lower.setValue(min(value, self._upper.value()))

    def setMaximumValue(self, value: float) -> None:
        """Choose the upper one."""
        self._upper.setValue(max(value, self._lower.value()))

    def setDecimals(self, decimals: int) -> None:
        """How many digits are shown after the point."""
        self._lower.setDecimals(decimals)
        self._upper.setDecimals(decimals)

    def _lower_moved(self, value: float) -> None:
        if value > self._upper.value():
            self._upper.setValue(value)
        self.minimumValueIsChanging.emit(value)
        self.minimumValueChanged.emit(value)
        self.valuesChanged.emit(value, self._upper.value())

    def _upper_moved(self, value: float) -> None:
        if value < self._lower.value():
            self._lower.setValue(value)
        self.maximumValueIsChanging.emit(value)
        self.maximumValueChanged.emit(value)
        self.valuesChanged.emit(self._lower.value(), value)

    def _both(self, name: str, value: object) -> None:
        self._lower.setProperty(name, value)
        self._upper.setProperty(name, value)

    minimum = Property(float, lambda self: self._low, lambda self, value: self.setRange(value, self._high))
    maximum = Property(float, lambda self: self._high, lambda self, value: self.setRange(self._low, value))
    minimumValue = Property(float, lambda self: self._lower.value(), setMinimumValue)
    maximumValue = Property(float, lambda self: self._upper.value(), setMaximumValue)
    decimals = Property(int, lambda self: self._lower.decimals(), setDecimals)
    singleStep = Property(
        float, lambda self: self._lower.singleStep(), lambda self, value: self._both("singleStep", value)
    )
    prefix = Property(str, lambda self: self._lower.prefix(), lambda self, value: self._both("prefix", value))
    suffix = Property(str, lambda self: self._lower.suffix(), lambda self, value: self._both("suffix", value))
    tracking = stored(bool, "tracking", True)
    symmetricMoves = stored(bool, "symmetricMoves", False)
    tickInterval = stored(float, "tickInterval", 0.0)


@register
class ctkDoubleSpinBox(QWidget):
    """A spin box for real numbers."""

    valueChanged = Signal((float,), (str,))
    decimalsChanged = Signal(int)
    editingFinished = Signal()

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._spin = QDoubleSpinBox(self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._spin)
        self._spin.valueChanged.connect(self._changed)
        self._spin.editingFinished.connect(self.editingFinished)

    def setValue(self, value: float) -> None:
        """Choose a value within the range."""
        self._spin.setValue(value)

    def setDecimals(self, decimals: int) -> None:
        """How many digits are shown after the point."""
        self._spin.setDecimals(decimals)
        self.decimalsChanged.emit(decimals)

    def stepUp(self) -> None:
        """One step more."""
        self._spin.stepUp()

    def stepDown(self) -> None:
        """One step less."""
        self._spin.stepDown()

    def _changed(self, value: float) -> None:
        self.valueChanged[float].emit(value)
        self.valueChanged[str].emit(self._spin.text())

    value = of_part(float, "_spin", "value")
    minimum = of_part(float, "_spin", "minimum")
    maximum = of_part(float, "_spin", "maximum")
    singleStep = of_part(float, "_spin", "singleStep")
    decimals = of_part(int, "_spin", "decimals")
    prefix = of_part(str, "_spin", "prefix")
    suffix = of_part(str, "_spin", "suffix")
    readOnly = of_part(bool, "_spin", "readOnly")
    alignment = of_part(int, "_spin", "alignment")
    cleanText = of_part(str, "_spin", "cleanText")
