"""The lists of names, and that the host has no names of its own beside them."""

from __future__ import annotations

import inspect

import pytest
import qt  # noqa: F401 - the host is started
from PySide6.QtCore import QObject
from slicer_host import names
from slicer_host.pythonqt import classes, enums
from slicer_host.widgets import all as _widgets  # noqa: F401

MORE = names.listed("more")["classes"]


def test_a_class_has_the_names_of_the_one_it_is_like():
    button = names.of_class("QPushButton")
    assert {"enabled", "toolTip", "text", "autoDefault"} <= button.properties
    assert {"setText", "click", "connect"} <= button.methods
    assert button.signal_named("clicked") == ["clicked()", "clicked(bool)"]
    assert "currentNodeChanged(vtkMRMLNode*)" in names.of_class("qMRMLNodeComboBox").signals


def test_the_lists_stay_small():
    assert sum(path.stat().st_size for path in names.FOLDER.glob("*.json")) < 400_000


@pytest.mark.parametrize("name", sorted(name for name in MORE if names.exists("qt", name)))
def test_names_kept_by_hand_are_real(name):
    pyside, entry = classes.find("qt", name)._pyside, MORE[name]
    assert all(hasattr(pyside, method) for method in entry.get("methods", "").split())
    assert all(enums.find(pyside, value) is not None for value in entry.get("values", "").split())
    if issubclass(pyside, QObject):
        meta = pyside.staticMetaObject
        assert all(meta.indexOfProperty(item) >= 0 for item in entry.get("properties", "").split())
        assert all(meta.indexOfSignal(item) >= 0 for item in entry.get("signals", "").split())


@pytest.mark.parametrize("host_class", list(classes._host_classes.values()), ids=lambda item: item.__name__)
def test_the_hosts_widgets_have_no_public_names_that_slicers_lack(host_class):
    wrapper = classes.find_host(host_class)
    known = wrapper._names.properties | wrapper._names.methods | wrapper._names.values
    known |= {signal.split("(")[0] for signal in wrapper._names.signals}
    for base in host_class.__mro__:
        if not base.__module__.startswith("slicer_host"):
            break
        own = {name for name, item in vars(base).items() if not name.startswith("_") and not inspect.isclass(item)}
        # Names with an underscore are the host's own handles; Slicer's are written likeThis.
        assert {name for name in own - known if "_" not in name and name not in ALLOWED} == set()


ALLOWED = {"staticMetaObject", "mrmlScene", "build", "start", "take", "load", "unload", "refill", "refilter"}
ALLOWED |= {"python", "instance"}
"""Words that the host's other parts call, and that no Python code of a module can: the wrapper refuses them."""
