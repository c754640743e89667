"""RTK's geometry file (XML): a circular scan as the Reconstruction Toolkit writes it (Rit et al. 2014).

RTK turns about its y axis, from a source on +z at angle 0 towards +x. Our axes are its (x, −z, y), at the same angle,
so that a stack's rows and columns are ours; a volume is given back in RTK's space.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.reconstruction.geometry_file import LARGEST_FILE, StatedGeometry, Tilt

SOURCE, DETECTOR, ANGLE = "SourceToIsocenterDistance", "SourceToDetectorDistance", "GantryAngle"
OFFSETS = ("ProjectionOffsetY", "ProjectionOffsetX")  # (v, u)
SOURCE_OFFSETS = ("SourceOffsetY", "SourceOffsetX")
IN_PLANE, OUT_OF_PLANE, CURVED = "InPlaneAngle", "OutOfPlaneAngle", "RadiusCylindricalDetector"
DIRECTION = (1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, -1.0, 0.0)  # columns: our x, y and z in RTK's space
SAME = 1e-6  # mm


def read_rtk_geometry(path: Path) -> StatedGeometry:
    """Read RTK's geometry of a circular scan: distances, offsets and tilts are the same in every view.

    Raises:
        JobError: it cannot be read, or is not of a circular scan with a flat detector.
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
    if any(abs(view.get(CURVED, 0.0)) > SAME for view in views):
        raise JobError(
            f"The geometry {path} has a curved detector ({CURVED}), which is not read; resample the stack first."
        )
    source, detector = _same(path, views, SOURCE), _same(path, views, DETECTOR)
    offset_v, offset_u = (_same(path, views, name) for name in OFFSETS)
    source_v, source_u = (_same(path, views, name) for name in SOURCE_OFFSETS)
    in_plane, out_of_plane = (math.radians(_same(path, views, name)) for name in (IN_PLANE, OUT_OF_PLANE))
    tilt = Tilt(in_plane, out_of_plane, (source_v, source_u))
    cone = detector > 0
    if not cone:  # parallel rays come from everywhere
        tilt = replace(tilt, source_offset=(0.0, 0.0))
    if cone and source <= 0:
        raise JobError(f"The geometry {path} has no SourceToIsocenterDistance above 0; write it anew.")
    return StatedGeometry(
        angles=tuple(math.radians(view[ANGLE]) for view in views),
        source_distance=source if cone else None,
        detector_distance=detector if cone else None,
        detector_offset=(offset_v, offset_u),
        direction=DIRECTION,
        tilt=None if tilt == Tilt() else tilt,
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
