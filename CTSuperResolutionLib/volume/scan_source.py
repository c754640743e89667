"""Scan on disk: what its header says, known before any voxel is read, and the reading of it or of a region."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from CTSuperResolutionLib.errors import JobError, MoreMemory, SmallerRegion, bytes_text
from CTSuperResolutionLib.job.memory import free_memory
from CTSuperResolutionLib.job.region import Slices, region_slices
from CTSuperResolutionLib.volume import checks
from CTSuperResolutionLib.volume.acquisition_tags import AcquisitionTags
from CTSuperResolutionLib.volume.geometry import GridGeometry
from CTSuperResolutionLib.volume.padding import Padding, find_grey_padding, find_padding
from CTSuperResolutionLib.volume.padding_evidence import PaddingEvidence
from CTSuperResolutionLib.volume.untilting import Untilting
from CTSuperResolutionLib.volume.volume import ValueScale, Volume

BYTES_A_VOXEL = 4 + 4
"""float32, and the masks that are alive at once while padding is looked for."""

WORKING_RANGE = (checks.AIR_HU, checks.TOP_HU)
"""Where values that do not suit the scale of HU are brought: the 12 bits of CT, which the method is made for."""


@dataclass(frozen=True, eq=False)
class Plane:
    """One plane of a scan as stored: values (y, x), float32, and where they are padding by their tag, or None."""

    values: np.ndarray
    padding: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class ScanSource:
    """A scan on disk, known by its header.

    Attributes:
        name: of the scan, for messages.
        stored_shape: voxels along (z, y, x) as they are stored.
        stored_geometry: of the grid, before untilting.
        planes: reads the planes from a first to before a last one.
        untilting: how slices are to be shifted; None where they are straight.
        acquisition: what the header says of it.
        notes: sentences that the user should see.
        allow_unusual: whether values that are no HU may be read, in their own range.
    """

    name: str
    stored_shape: tuple[int, int, int]
    stored_geometry: GridGeometry
    planes: Callable[[int, int], Iterator[Plane]] = field(repr=False)
    untilting: Untilting | None = None
    acquisition: AcquisitionTags = field(default_factory=AcquisitionTags)
    notes: tuple[str, ...] = ()
    allow_unusual: bool = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along (z, y, x) of the volume that is read."""
        if self.untilting is None:
            return self.stored_shape
        return self.stored_shape[0], *self.untilting.canvas

    @property
    def geometry(self) -> GridGeometry:
        """The place of that volume in space."""
        return self.stored_geometry if self.untilting is None else self.untilting.geometry(self.stored_geometry)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """mm along (z, y, x)."""
        return self.geometry.spacing

    def memory(self, region: Slices) -> int:
        """Bytes of main memory that reading a region takes, about."""
        z, y, x = (part.stop - part.start for part in region)
        voxels = z * y * x
        if self.untilting is not None:  # its slices whole, as they are stored and as they are shifted
            voxels = z * (math.prod(self.stored_shape[1:]) + math.prod(self.shape[1:]))
        return BYTES_A_VOXEL * voxels

    def read(
        self,
        region: Slices | None = None,
        note: Callable[[str], None] = lambda message: None,
        check: Callable[[], None] = lambda: None,
    ) -> Volume:
        """Read the scan, or a region of it, and check that it can be worked on.

        What no scanner measured is marked in :attr:`.Volume.valid`; its values below air become air. Whole planes are
        looked at for that, wherever the region is. Values that do not suit the scale of HU are brought to it, if they
        are allowed at all; :attr:`.Volume.value_scale` brings them back.

        Args:
            region: in voxels along (z, y, x); the whole where that is None.
            note: told sentences that the user should see.
            check: called for every plane; may end the reading by raising.

        Raises:
            JobError: it cannot be read or worked on; the message says what to do.
        """
        region = region_slices(None, self.shape) if region is None else region
        self._require_memory(region)
        for message in self.notes:
            note(message)
        with sentences(self.name):
            return self._finish(region, *self._gather(region, check), note)

    def _finish(
        self,
        region: Slices,
        array: np.ndarray,
        known: np.ndarray,
        evidence: PaddingEvidence,
        note: Callable[[str], None],
    ) -> Volume:
        checks.check_finite(self.name, array)
        part = tuple(one.stop - one.start for one in region) != self.shape
        found, scale = self._judge(array, known, evidence, part)
        for values, outside in zip(array, found.outside, strict=True):
            values[outside] = np.maximum(values[outside], checks.AIR_HU)
        np.minimum(array, checks.CEILING_HU, out=array)
        _tell(found, note)
        if self.untilting is not None:
            array, found = self._untilt(array, found, region)
        valid = ~(found.outside | found.saturated)
        geometry = self.geometry
        return Volume(
            array,
            geometry.spacing,
            _origin(geometry, region),
            geometry.direction,
            valid=None if valid.all() else valid,
            acquisition=self.acquisition,
            value_scale=scale,
        )

    def _gather(self, region: Slices, check: Callable[[], None]) -> tuple[np.ndarray, np.ndarray, PaddingEvidence]:
        """Values of a region as stored, where they are padding by tag or place, and what else whole planes say of it.

        What is to be untilted comes in whole slices.
        """
        z, y, x = region
        if self.untilting is not None:
            _, y, x = region_slices(None, self.stored_shape)
        array = np.empty((z.stop - z.start, y.stop - y.start, x.stop - x.start), dtype=np.float32)
        known = np.zeros(array.shape, dtype=bool)
        evidence = PaddingEvidence((z.stop - z.start, *self.stored_shape[1:]))
        for target, padding, plane in zip(array, known, self.planes(z.start, z.stop), strict=True):
            check()
            evidence.look(plane.values)
            target[...] = plane.values[y, x]
            if plane.padding is not None:
                padding[...] = plane.padding[y, x]
        for axis, outside in evidence.outside_view(self.stored_geometry.spacing):
            seen = tuple(part for k, part in enumerate((slice(None), y, x)) if k != axis)
            known |= np.expand_dims(outside[seen], axis)
        return array, known, evidence

    def _judge(
        self, array: np.ndarray, known: np.ndarray, evidence: PaddingEvidence, region: bool
    ) -> tuple[Padding, ValueScale | None]:
        """Find the padding and check the values; what does not suit the scale of HU is brought to it in place.

        ``region`` says whether they are a part of the scan only.
        """
        stated = known.copy() if self.allow_unusual else known
        found = find_padding(array, known, evidence)
        try:
            checks.check_values(self.name, array, found.outside, region=region)
        except JobError:
            if not self.allow_unusual:
                raise
            if checks.suits_hu_scale(array, found.outside):
                return found, None
        else:
            return found, None
        found = find_grey_padding(array, stated, evidence)
        extent = checks.value_range(array, found.outside)
        if extent is None:
            raise checks.nothing_measured(self.name, region=region)
        (low, high), (bottom, top) = extent, WORKING_RANGE
        slope = (high - low) / (top - bottom) or 1.0  # of one value everywhere, too
        scale = ValueScale(slope, low - bottom * slope)
        for part, outside in zip(array, found.outside, strict=True):
            part[...] = (part.astype(np.float64) - scale.intercept) / scale.slope
            part[outside] = part[outside].clip(bottom, top)
        return found, scale

    def _untilt(self, array: np.ndarray, found: Padding, region: Slices) -> tuple[np.ndarray, Padding]:
        assert self.untilting is not None
        z, y, x = region
        shape = (z.stop - z.start, y.stop - y.start, x.stop - x.start)
        upright = np.empty(shape, dtype=np.float32)
        there = Padding(np.empty(shape, dtype=bool), np.empty(shape, dtype=bool))
        for k, index in enumerate(range(z.start, z.stop)):
            plane, outside = self.untilting.place(index, array[k], found.outside[k])
            upright[k], there.outside[k] = plane[y, x], outside[y, x]
            there.saturated[k] = self.untilting.place_mask(index, found.saturated[k], beyond=False)[y, x]
        return upright, there

    def _require_memory(self, region: Slices) -> None:
        needed, free = self.memory(region), free_memory()
        if free is not None and needed > free:
            size = " x ".join(str(part.stop - part.start) for part in region)
            raise JobError(
                f"Reading {self.name}, of {size} voxels (z, y, x), takes about {bytes_text(needed)} of memory and "
                f"{bytes_text(free)} are free",
                SmallerRegion(),
                MoreMemory(),
            )


@contextlib.contextmanager
def sentences(place: object) -> Iterator[None]:
    """Errors of the system while a scan is read, as sentences for the user."""
    try:
        yield
    except OSError as error:
        raise JobError(
            f"{error.filename or place} cannot be read ({error.strerror or error}); check that it is there and that "
            "you may read it."
        ) from error
    except MemoryError as error:
        raise JobError(f"{place} does not fit into memory; crop it, or use a machine with more.") from error


def _origin(grid: GridGeometry, region: Slices) -> tuple[float, float, float]:
    """The LPS centre of the first voxel of a region of a grid, mm."""
    start = np.array([part.start for part in reversed(region)])
    if not start.any():
        return grid.origin
    x, y, z = map(float, grid.origin + np.reshape(grid.direction, (3, 3)) @ (start * grid.spacing[::-1]))
    return x, y, z


def _tell(found: Padding, note: Callable[[str], None]) -> None:
    """Say what was not measured."""
    if share := float(found.outside.mean()):
        note(f"{share:.1%} of the voxels are padding or masked, not measured, and stand for nothing.")
    if count := int(found.saturated.sum()):
        note(f"{count} voxels are saturated, at the end of the scanner's scale.")
