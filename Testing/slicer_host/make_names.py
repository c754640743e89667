#!/usr/bin/env python3
"""Packs lists of names read off a real Slicer into ``names/``: python3 make_names.py FOLDER

FOLDER holds qt.json, ctk.json, slicer.json and python.json: per class its properties, methods, signals and other
names. Most names of a class are its base's, so each class is written as what it adds to the class it is most like.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent / "names"
KINDS = {"properties": "properties", "methods": "methods", "signals": "signals", "values": "enums_and_other"}


def main(folder: Path) -> None:
    """Write names/qt.json, ctk.json, slicer.json and python.json."""
    lists = {module: json.loads((folder / f"{module}.json").read_text()) for module in ("qt", "ctk", "slicer")}
    described = {}
    for content in lists.values():
        for name, kinds in content["classes"].items():
            described[name] = {kind: set(kinds[listed]) for kind, listed in KINDS.items()}
            # A signal is also listed by its bare name among the others; it need not be written twice.
            described[name]["values"] -= {signal.split("(")[0] for signal in described[name]["signals"]}
    # PythonQt leaves this property out, so that the static method of the same name can be called.
    described["QTimer"]["properties"].discard("singleShot")
    described["QTimer"]["methods"].add("singleShot")
    python = json.loads((folder / "python.json").read_text())
    lists["slicer"]["all_names"] = [name for name in python["slicer_names_without_vtk"] if name.startswith("q")]
    # The application's own list does not say which names are properties, methods or signals.
    described["qSlicerApplication"] = {kind: set() for kind in KINDS} | {"values": set(python["slicer.app"])}
    lists["slicer"]["classes"]["qSlicerApplication"] = {}
    for module, content in lists.items():
        classes = {name: shortened(name, described) for name in sorted(content["classes"])}
        others = " ".join(sorted(name for name in content["all_names"] if name not in classes))
        write(module, {"classes": classes, "known_by_name_only": others})
    util = {name: signature for name, signature in python["slicer.util"].items() if not name.startswith("_")}
    write(
        "python",
        {
            "slicer": " ".join(name for name in python["slicer_names_without_vtk"] if not name.startswith("q")),
            "slicer.util": util,
            "modules": " ".join(python["module_names"]),
            "slicer.i18n": " ".join(python["i18n"]),
            "slicer.parameterNodeWrapper": " ".join(python["parameterNodeWrapper"]),
            "versions": python["versions"],
        },
    )


def shortened(name: str, described: dict[str, dict[str, set[str]]]) -> dict[str, str]:
    """The class as the most similar class that has nothing it lacks, and what it adds to that one."""
    own = described[name]
    size = sum(len(names) for names in own.values())

    def cost(other: str) -> float:
        theirs = described[other]
        count = sum(len(names) for names in theirs.values())
        within = all(theirs[kind] <= own[kind] for kind in KINDS)
        earlier = (count, other) < (size, name)  # no circles between classes with the same names
        return size - count if within and earlier and other != name else float("inf")

    like = min(described, key=lambda other: (cost(other), other))
    result = {} if cost(like) == float("inf") else {"like": like}
    base = described[like] if result else {kind: set() for kind in KINDS}
    added = {kind: " ".join(sorted(own[kind] - base[kind])) for kind in KINDS}
    return result | {kind: names for kind, names in added.items() if names}


def write(module: str, content: dict) -> None:
    """One line per class, so that a change can be read."""
    (HERE / f"{module}.json").write_text(json.dumps(content, indent=0, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
