"""RTK's geometry file (XML): a circular scan as the Reconstruction Toolkit writes it (Rit et al. 2014).

RTK turns about its y axis, from a source on +z at angle 0 towards +x. Our axes are its (x, −z, y), at the same angle,
so that a stack's rows and columns are ours; a volume is given back in RTK's space.
"""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree import ElementTree

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.reconstruction.geometry_file import LARGEST_FILE, StatedGeometry

SOURCE, DETECTOR, ANGLE = "SourceToIsocenterDistance", "SourceToDetectorDistance", "GantryAngle"
OFFSETS = ("ProjectionOffsetY", "ProjectionOffsetX")  # (v, u)
NOT_READ = {
    "SourceOffsetX": "a source that is off the axis", "SourceOffsetY": "a source that is off the axis",
    "InPlaneAngle": "a detector or an axis that is tilted", "OutOfPlaneAngle": "a detector or an axis that is tilted",
    "RadiusCylindricalDetector": "a curved detector",
}  # fmt: skip
DIRECTION = (1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, -1.0, 0.0)  # columns: our x, y and z in RTK's space
SAME = 1e-6  # mm


def read_rtk_geometry(path: Path) -> StatedGeometry:
    """Read RTK's geometry of a circular scan: one source and detector distance, and one offset of the detector.

    Raises:
        JobError: it cannot be read, or is not of a circular scan about an axis that is not tilted.
    """
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise JobError(f"The geometry {path} is larger than any; check its path.")
        content = path.read_bytes()
        if b"<!ENTITY" in content:  # which could grow without bound
            raise ElementTree.ParseError
        root = ElementTree.fromstring(content)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise JobError(f"The geometry {path} cannot be read ({reason}); check its path.") from None
    except ElementTree.ParseError:
        raise JobError(f"The geometry {path} is not an XML file of RTK; write it anew.") from None
    common = _numbers(path, root)
    views = [{**common, **_numbers(path, view)} for view in root.iter("Projection")]
    if not views or not all(ANGLE in view for view in views):
        raise JobError(f"The geometry {path} has views without a GantryAngle, or none at all; write it anew.")
    for name, what in NOT_READ.items():
        if any(abs(view.get(name, 0.0)) > SAME for view in views):
            raise JobError(
                f"The geometry {path} has {what} ({name}), which is not read; correct the stack for it first."
            )
    source, detector = _same(path, views, SOURCE), _same(path, views, DETECTOR)
    offset_v, offset_u = (_same(path, views, name) for name in OFFSETS)
    cone = detector > 0
    if cone and source <= 0:
        raise JobError(f"The geometry {path} has no SourceToIsocenterDistance above 0; write it anew.")
    return StatedGeometry(
        angles=tuple(math.radians(view[ANGLE]) for view in views),
        source_distance=source if cone else None,
        detector_distance=detector if cone else None,
        detector_offset=(offset_v, offset_u),
        direction=DIRECTION,
    )


def _numbers(path: Path, element: ElementTree.Element) -> dict[str, float]:
    """Numbers of an element's children by name. RTK writes what all views share beside them."""
    found = {}
    for child in element:
        if len(child) or child.tag in ("Matrix", "Projection"):
            continue
        try:
            found[child.tag] = float(child.text or "")
        except ValueError:
            raise JobError(f"The geometry {path} has no number in {child.tag}; write it anew.") from None
    return found


def _same(path: Path, views: list[dict[str, float]], name: str) -> float:
    values = [view.get(name, 0.0) for view in views]
    if max(values) - min(values) > SAME:
        raise JobError(
            f"The geometry {path} has a {name} that changes from view to view, which is not read; resample it."
        )
    return values[0]
