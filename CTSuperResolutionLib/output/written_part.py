"""Written part: what files hold of a result, or of a slab of it: whole HU, and how far these are from the scan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from CTSuperResolutionLib.job.region import Slices
from CTSuperResolutionLib.job.target_grid import TargetGrid
from CTSuperResolutionLib.pipeline import Result
from CTSuperResolutionLib.volume.volume import Volume
from CTSuperResolutionLib.volume.writing import to_int16

VOLUMES = ("sr", "cubic", "measured")
JUDGED = VOLUMES[:2]


@dataclass(frozen=True, eq=False)
class WrittenPart:
    """A part of a result as its files hold it.

    Attributes:
        arrays: "sr", "cubic" and "measured", HU as int16, or float32 where they are no HU; "sr_error" and
            "cubic_error", A x − y of those, HU, float32, in voxels of the scan; "uncertainty", HU, float32, if any.
        clipped: how many voxels of the result int16 clips.
        report: of the pipeline.
    """

    arrays: dict[str, np.ndarray]
    clipped: int
    report: dict[str, Any]

    @classmethod
    def of(cls, scan: Volume, result: Result, target: TargetGrid, region: Slices) -> WrittenPart:
        """The part in a region; beyond it A sees the margin.

        Args:
            scan: what was worked on. result: what came of it. target: its grid.
            region: slices along (z, y, x), in voxels of ``scan``.
        """
        degradation, fine = result.acquisition.degradation_from(target.axes), target.within(region)
        scanned = torch.from_numpy(scan.array[region])
        arrays, limits = {}, np.iinfo(np.int16)
        for name in VOLUMES:
            volume = getattr(result, name)
            # What is no HU is written as it is: see Volume.value_scale.
            stored = volume.array if volume.value_scale is not None else to_int16(volume.array)
            arrays[name] = np.ascontiguousarray(stored[fine])
            if name in JUDGED:
                arrays[f"{name}_error"] = (degradation.A(torch.from_numpy(stored).float())[region] - scanned).numpy()
        if result.uncertainty is not None:
            arrays["uncertainty"] = np.ascontiguousarray(result.uncertainty.array[fine])
        sr = result.sr.array[fine]
        beyond = ((sr < limits.min) | (sr > limits.max)) & (result.sr.value_scale is None)
        return cls(arrays, int(np.count_nonzero(beyond)), dict(result.report))
