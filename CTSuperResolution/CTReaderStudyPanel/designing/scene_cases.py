"""Cases of a study from results that are in the scene: each scan is one, with its volumes by method."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from pathlib import Path

import slicer
from CTSuperResolutionPanel.scene.export import to_nrrd
from CTSuperResolutionPanel.scene.result_volumes import CUBIC, MEASURED, REPORT, SCAN_REFERENCE, SR, report_of, role_of

Volumes = dict[str, slicer.vtkMRMLScalarVolumeNode]


def cases_in_scene() -> dict[str, Volumes]:
    """The volumes of every scan that has a result, by the scan's name and by method; previews are none.

    The methods are named as the files of a result. Of several results of a scan the newest counts, and where they
    differ in their presets, each of them has its super-resolved volume as ``sr-PRESET``.
    """
    of_scan: dict[str, list[slicer.vtkMRMLScalarVolumeNode]] = {}
    for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
        if role_of(node) in (SR, CUBIC, MEASURED) and node.GetImageData() is not None:
            of_scan.setdefault(node.GetNodeReferenceID(SCAN_REFERENCE) or node.GetID(), []).append(node)
    cases: dict[str, Volumes] = {}
    for id, nodes in of_scan.items():
        results = [node for node in nodes if role_of(node) == SR]
        if not results:
            continue
        newest = results[-1].GetAttribute(REPORT)
        volumes = {role_of(node): node for node in nodes if node.GetAttribute(REPORT) == newest}
        by_preset = {report_of(node).get("job", {}).get("preset"): node for node in results}
        if len(by_preset) > 1:
            del volumes[SR]
            volumes |= {f"{SR}-{preset}": node for preset, node in by_preset.items()}
        scan = slicer.mrmlScene.GetNodeByID(id)
        cases[_new_name(scan.GetName() if scan is not None else id, cases)] = volumes
    return cases


def write_cases(cases: Mapping[str, Volumes], folder: Path) -> Generator[float, None, None]:
    """Write cases as a plan names them: a folder for each, with a file for each method. By steps, for a Stepper.

    Raises:
        OSError: one cannot be written.
    """
    files = [(node, folder / name / f"{method}.nrrd") for name, case in cases.items() for method, node in case.items()]
    for number, (node, path) in enumerate(files):
        path.parent.mkdir(parents=True, exist_ok=True)
        for fraction in to_nrrd(node, path):
            yield (number + fraction) / len(files)


def _new_name(name: str, taken: Mapping[str, object]) -> str:
    """A name for a folder that no other case has."""
    plain = re.sub(r"[^\w -]+", "_", name).strip() or "scan"
    number, found = 1, plain
    while found.lower() in {other.lower() for other in taken}:
        number += 1
        found = f"{plain} {number}"
    return found
