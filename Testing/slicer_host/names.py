"""The names a real Slicer lists, read from ``names/*.json``. What is not listed does not exist for the host.

``make_names.py`` makes qt, ctk, slicer and python.json; more.json is kept by hand.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "names"


@dataclass(frozen=True)
class Names:
    """What a class offers to Python: names of properties, methods and other values, and full signatures of signals."""

    properties: frozenset[str]
    methods: frozenset[str]
    signals: frozenset[str]
    values: frozenset[str]

    def signal_named(self, name: str) -> list[str]:
        """The signatures of a signal, as in clicked(bool) and clicked() for clicked."""
        return sorted(signature for signature in self.signals if signature.split("(")[0] == name)


@cache
def listed(file: str) -> dict:
    """The content of one file of names: qt, ctk, slicer or python."""
    return json.loads((FOLDER / f"{file}.json").read_text(encoding="utf-8"))


@cache
def modules() -> dict[str, str]:
    """From the name of each described class to the file that describes it."""
    return {name: file for file in ("more", "qt", "ctk", "slicer") for name in listed(file)["classes"]}


@cache
def of_class(name: str) -> Names | None:
    """The names of a class; None where Slicer's list has no more than its name."""
    if name not in modules():
        return None
    entry = listed(modules()[name])["classes"][name]
    base = of_class(entry["like"]) if "like" in entry else Names(*[frozenset()] * 4)
    kinds = ("properties", "methods", "signals", "values")
    return Names(*[getattr(base, kind) | set(entry.get(kind, "").split()) for kind in kinds])


@cache
def exists(module: str, name: str) -> bool:
    """Whether Slicer's module qt, ctk or slicer has a class of this name at all."""
    by_name = listed(module)["known_by_name_only"].split()
    # The classes of some of the application's own objects have no name in the module, yet the objects are there.
    nameless = module == "slicer" and name.startswith("qSlicer") and name in listed("more")["classes"]
    return name in listed(module)["classes"] or name in by_name or nameless


@cache
def words(key: str) -> frozenset[str]:
    """Names of a namespace, as in slicer.app."""
    return frozenset(listed("python")[key].split() if isinstance(listed("python")[key], str) else listed("python")[key])
