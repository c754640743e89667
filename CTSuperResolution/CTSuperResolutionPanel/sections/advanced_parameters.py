"""Advanced parameters of the method: a field for each, made from the library's table of defaults, limits and help."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import qt
from slicer.i18n import tr as _

from CTSuperResolutionLib.job.parameters import PARAMETERS, PRESET_NAMES, Parameter, Value

SHOWN = {name: parameter for name, parameter in PARAMETERS.items() if parameter.audience == "user"}
"""The parameters that have a field; those of ablations are for the command line."""


class AdvancedFields:
    """Fields in a form. What differs from the preset is marked, and can be taken back.

    Args:
        form: the layout that gets a row for each parameter.
        on_change: called after the user changed one.
    """

    def __init__(self, form: qt.QFormLayout, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._preset = PRESET_NAMES[0]
        self._filling = False
        self._fields: dict[str, Any] = {}
        self._labels: dict[str, qt.QLabel] = {}
        group = ""
        for parameter in SHOWN.values():
            if parameter.group != group:
                group = parameter.group
                form.addRow(_heading(group))
            label = qt.QLabel()
            field = self._make_field(parameter)
            field.objectName = f"{parameter.name}Field"
            label.toolTip = field.toolTip = _tool_tip(parameter)
            form.addRow(label, field)
            self._fields[parameter.name], self._labels[parameter.name] = field, label
        self.reset_button = qt.QPushButton(_("Back to the preset"))
        self.reset_button.objectName = "resetParametersButton"
        self.reset_button.toolTip = _("Set every parameter to what the preset says.")
        self.reset_button.connect("clicked()", self._reset)
        form.addRow(self.reset_button)

    def show(self, preset: str, settings: dict[str, Value]) -> None:
        """Show a preset and what is set otherwise."""
        self._preset = preset
        self._filling = True
        try:
            for name, parameter in SHOWN.items():
                self._write(parameter, settings.get(name, parameter.defaults[preset]))
        finally:
            self._filling = False
        self._mark()

    def settings(self) -> dict[str, Value]:
        """The parameters that differ from the preset."""
        values = {name: self._read(parameter) for name, parameter in SHOWN.items()}
        return {name: v for name, v in values.items() if not _same(v, PARAMETERS[name].defaults[self._preset])}

    def _make_field(self, parameter: Parameter) -> Any:
        if parameter.choices:
            field = qt.QComboBox()
            field.addItems(list(parameter.choices))
            field.connect("currentIndexChanged(int)", self._changed)
        elif parameter.type is int:
            field = qt.QSpinBox()
            field.setRange(*map(int, _limits(parameter)))
            field.singleStep = max(1, 10 ** (len(str(parameter.defaults[PRESET_NAMES[0]])) - 2))
            field.connect("valueChanged(int)", self._changed)
        else:
            field = qt.QDoubleSpinBox()
            field.decimals = _decimals(parameter)
            field.setRange(*_limits(parameter))
            field.stepType = qt.QDoubleSpinBox.AdaptiveDecimalStepType
            field.connect("valueChanged(double)", self._changed)
        if parameter.unit:
            field.suffix = f" {parameter.unit}"
        return field

    def _read(self, parameter: Parameter) -> Value:
        field = self._fields[parameter.name]
        if parameter.choices:
            return field.currentText
        return parameter.type(field.value) if parameter.type is int else round(float(field.value), field.decimals)

    def _write(self, parameter: Parameter, value: Value) -> None:
        field = self._fields[parameter.name]
        if parameter.choices:
            field.setCurrentText(str(value))
        else:
            field.setValue(parameter.type(value))

    def _changed(self, value: object) -> None:
        if not self._filling:
            self._mark()
            self._on_change()

    def _reset(self) -> None:
        self.show(self._preset, {})
        self._on_change()

    def _mark(self) -> None:
        changed = self.settings()
        for name, label in self._labels.items():
            text = label_text(PARAMETERS[name])
            label.text = f"<b>{text}:</b>" if name in changed else f"{text}:"
        self.reset_button.enabled = bool(changed)


def label_text(parameter: Parameter) -> str:
    """What a parameter is called in the panel: its name on the command line, written as words."""
    text = parameter.name.replace("_", " ")
    for plain, proper in (("hu ", "HU "), ("ddim", "DDIM"), ("ssim", "SSIM"), (" tv", " TV"), (" y", " y")):
        text = text.replace(plain, proper)
    return text[:1].upper() + text[1:]


def settings_text(settings: dict[str, Value]) -> str:
    """Changed parameters in a few words."""
    known = {name: label_text(parameter).lower() for name, parameter in PARAMETERS.items()}
    return ", ".join(f"{known.get(name, name)} {value}" for name, value in settings.items())


def parse_settings(text: str) -> dict[str, Value]:
    """Settings from their JSON; what has no field here, as another version may have had, is left out."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return {name: value for name, value in found.items() if name in SHOWN} if isinstance(found, dict) else {}


def _heading(group: str) -> qt.QLabel:
    titles = {
        "scanner": _("Scanner"),
        "views": _("Views"),
        "prior": _("Prior"),
        "gaussians": _("Gaussians"),
        "result": _("Result"),
    }
    return qt.QLabel(f"<b>{titles.get(group, group)}</b>")


def _tool_tip(parameter: Parameter) -> str:
    lines = [parameter.help]
    if not parameter.choices:
        lines.append(_("From {low:g} to {high:g} {unit}").format(
            low=parameter.low, high=parameter.high, unit=parameter.unit).strip() + ".")  # fmt: skip
    presets = ", ".join(f"{preset} {value}" for preset, value in parameter.defaults.items())
    lines.append(_("Presets: {presets}.").format(presets=presets))
    lines.append(_("On the command line: {name}").format(name=parameter.name))
    return "\n".join(lines)


def _limits(parameter: Parameter) -> tuple[float, float]:
    """Limits of a number, which always has both."""
    assert parameter.low is not None and parameter.high is not None
    return parameter.low, parameter.high


def _decimals(parameter: Parameter) -> int:
    """Enough to write the smallest number that matters, and one more."""
    small = [abs(float(v)) for v in (parameter.low, *parameter.defaults.values()) if v]
    least = math.floor(math.log10(min(small))) if small else 0
    return 0 if least > 1 else min(9, max(2, 1 - least))


def _same(first: Value, second: Value) -> bool:
    if isinstance(first, float) or isinstance(second, float):
        return math.isclose(float(first), float(second), rel_tol=1e-6, abs_tol=1e-12)
    return first == second
