"""Writing of projections: a stack with its geometry beside it, as they are read again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.reconstruction.geometry_file import geometry_text
from CTSuperResolutionLib.reconstruction.projections import IDENTITY, Projections
from CTSuperResolutionLib.reconstruction.stack_file import GEOMETRY_NAME, STACK_NAME
from CTSuperResolutionLib.volume.volume import Volume
from CTSuperResolutionLib.volume.writing import write_volume

WRITTEN = (STACK_NAME, GEOMETRY_NAME)


def write_projections(
    projections: Projections,
    folder: Path,
    *,
    i0: float | None = None,
    made: Mapping[str, Any],
    metadata: Mapping[str, str],
    progress: Progress | None = None,
) -> None:
    """Write projections.nrrd, float32 with axes (u, v, view), and geometry.json.

    Args:
        projections: what to write. folder: where to.
        i0: for a stack of intensities, I = I0 exp(−p); None for line integrals p.
        made: how they were made, for the geometry. metadata: entries of the stack's header.
        progress: advanced by one a view.

    Raises:
        JobError: the folder is missing, not writable or full.
    """
    geometry = projections.geometry
    (nv, nu), (dv, du) = geometry.detector_shape, geometry.detector_spacing
    values = projections.integrals if i0 is None else np.float32(i0) * np.exp(-projections.integrals)
    # A stack's place is the detector's: its middle is where the central ray ends.
    stack = Volume(values, (1.0, dv, du), (-(nu - 1) / 2 * du, -(nv - 1) / 2 * dv, 0.0), IDENTITY)
    write_volume(stack, folder / STACK_NAME, integer=False, metadata=metadata, progress=progress)
    text = geometry_text(projections, i0, made)
    (folder / GEOMETRY_NAME).write_text(text, encoding="utf-8", errors="backslashreplace")
