"""Store of the slabs of a long job: private files in the output folder, from which a killed job goes on."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from CTSuperResolutionLib.output.written_part import WrittenPart

PREFIX = ".ctsr-slabs-"
PLAN = "plan.json"
SUMMARY = "slab.json"


class StoredArray:
    """An array (z, y, x) of float32, slab by slab in files, or in memory as whole HU, that is read by the part.

    Args:
        slabs: files as numpy writes them, or arrays. axis: along which the slabs lie.
    """

    ndim, dtype = 3, np.dtype(np.float32)

    def __init__(self, slabs: Sequence[Path | np.ndarray], axis: int) -> None:
        self._slabs, self._axis = slabs, axis
        shapes = [_opened(slab).shape for slab in slabs]
        self._ends = np.cumsum([shape[axis] for shape in shapes]).tolist()
        z, y, x = (self._ends[-1] if k == axis else n for k, n in enumerate(shapes[0]))
        self.shape = (z, y, x)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        """As numpy's, for whole numbers and slices without a step."""
        index = list(key) if isinstance(key, tuple) else [key]
        index += [slice(None)] * (self.ndim - len(index))
        wanted, size = index[self._axis], self.shape[self._axis]
        start, stop, _ = wanted.indices(size) if isinstance(wanted, slice) else (wanted % size, wanted % size + 1, 1)
        parts, first = [], 0
        for slab, end in zip(self._slabs, self._ends, strict=True):
            low, high = max(start, first), min(stop, end)
            if low < high:
                index[self._axis] = slice(low - first, high - first)
                # Opened for every part: pages of a file that stays open count as memory of this process.
                parts.append(_opened(slab)[tuple(index)].astype(np.float32))
            first = end
        along = self._axis - sum(isinstance(one, int) for one in index[: self._axis])
        values = np.concatenate(parts, axis=along) if len(parts) != 1 else parts[0]
        return values.take(0, axis=along) if isinstance(wanted, int) else values

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[index] for index in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or self.dtype, copy=False)


def _opened(slab: Path | np.ndarray) -> np.ndarray:
    return slab if isinstance(slab, np.ndarray) else np.load(slab, mmap_mode="r")


class SlabStore:
    """The finished slabs of a job, in a folder of mode 0700.

    Args:
        folder: where they are. axis: of (z, y, x), along which they lie. count: how many there are to be.
    """

    def __init__(self, folder: Path, axis: int, count: int) -> None:
        self.folder, self._axis, self._count = folder, axis, count

    def has(self, index: int) -> bool:
        """Whether a slab is finished."""
        return (self._place(index) / SUMMARY).is_file()

    def add(self, index: int, part: WrittenPart) -> None:
        """Keep a finished slab: all of it, or nothing where the process ends meanwhile."""
        unfinished = self.folder / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        for name, array in part.arrays.items():
            with (unfinished / f"{name}.npy").open("wb") as file:
                np.save(file, array)
                os.fsync(file.fileno())
        summary = {"clipped": part.clipped, "report": part.report}
        (unfinished / SUMMARY).write_text(json.dumps(summary), encoding="utf-8")
        os.replace(unfinished, self._place(index))

    def array(self, name: str) -> StoredArray | None:
        """The arrays of a name of all slabs, as one; None where they have none."""
        files = [self._place(index) / f"{name}.npy" for index in range(self._count)]
        return StoredArray(files, self._axis) if files[0].is_file() else None

    def summaries(self) -> list[dict[str, Any]]:
        """``clipped`` and ``report`` of every slab."""
        places = [self._place(index) / SUMMARY for index in range(self._count)]
        return [json.loads(place.read_text(encoding="utf-8")) for place in places]

    def discard(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _place(self, index: int) -> Path:
        return self.folder / f"slab-{index:04}"


def has_stores(output: Path) -> bool:
    """Whether unfinished runs left slabs in an output folder."""
    return any(output.glob(f"{PREFIX}*"))


def open_store_folder(output: Path, digest: str, *, fresh: bool) -> tuple[Path, Any]:
    """The folder of a job's slabs, and the plan that an unfinished run of the same job left there, or None.

    What other jobs left in the output folder is removed: they will not go on.

    Args:
        output: the output folder, locked for this job. digest: of the job. fresh: begin anew.
    """
    folder = output / f"{PREFIX}{digest[:16]}"
    for other in output.glob(f"{PREFIX}*"):
        if fresh or other != folder:
            shutil.rmtree(other, ignore_errors=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    with contextlib.suppress(OSError, ValueError):
        return folder, json.loads((folder / PLAN).read_text(encoding="utf-8"))
    return folder, None


def keep_plan(folder: Path, plan: Any) -> None:
    """Write down how a job is cut, for a run that goes on with it."""
    part = folder / f"{PLAN}.part"
    part.write_text(json.dumps(plan), encoding="utf-8")
    os.replace(part, folder / PLAN)
