"""Campaign of mutated inputs: each is drawn, read by ``read_volume``, and compared with what others read."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from types import ModuleType

from inputs import dicom_files, metaimage_files, nifti_files, nrrd_files
from inputs.raw_bytes import make_special, mutate_bytes
from inputs.reader import Reader
from inputs.sample import Sample
from inputs.scan import draw_scan
from inputs.verdict import judge

FORMATS: dict[str, ModuleType] = {
    "NRRD": nrrd_files,
    "MetaImage": metaimage_files,
    "NIfTI": nifti_files,
    "DICOM": dicom_files,
}
COUNTS = (250, 30)
"""Inputs of each format, in the long form and in the short one."""


@dataclass
class Trial:
    """What came of an input.

    Attributes:
        case: its name.
        about: what was done to it.
        outcome: right, refused or wrong.
        said: the sentence that refused it.
        wrong: what does not hold, a sentence each.
    """

    case: str
    about: str
    outcome: str = ""
    said: str = ""
    wrong: list[str] = field(default_factory=list)


class Campaign:
    """Mutated inputs of ``read_volume``.

    Args:
        folder: an empty folder to work in.
        seed: of all inputs.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder, self._seed = folder, seed
        self._temporary = folder / "tmp"
        self._temporary.mkdir()
        self._product, self._others = Reader("product", self._temporary), Reader("others", folder)

    def cases(self, *, short: bool) -> list[str]:
        """Names of the cases of the long form or the short one."""
        return [f"{name} {n}" for name in FORMATS for n in range(COUNTS[short])]

    def sample(self, case: str) -> Sample:
        """The files that a case stands for."""
        return draw(case, self._seed)

    def carry_out(self, cases: Iterable[str], told: Callable[[Trial], None]) -> list[Trial]:
        """Read the inputs of all cases, each told of as it is done."""
        trials = []
        for case in cases:
            trials.append(self._read(case))
            told(trials[-1])
        return trials

    def close(self) -> None:
        """End its processes."""
        self._product.close()
        self._others.close()

    def _read(self, case: str) -> Trial:
        sample = self.sample(case)
        place = self._folder / "input"
        place.mkdir()
        entry = sample.write(place)
        ours, theirs = self._folder / "ours.npz", self._folder / "theirs.npz"
        before = _listing(place)
        answer = self._product.read(entry, ours)
        trial = Trial(case, sample.about, said=answer.get("refused", ""))
        others = self._others.read(entry, theirs) if ours.is_file() else {}
        trial.outcome, trial.wrong = judge(answer, ours, others, theirs, sample.scan)
        left = [path.name for path in self._temporary.iterdir()] + ["an input"] * (_listing(place) != before)
        if left:
            trial.outcome, trial.wrong = "wrong", [*trial.wrong, f"left or changed: {', '.join(left)}"]
        for path in (ours, theirs, *self._temporary.iterdir()):
            path.unlink(missing_ok=True)
        shutil.rmtree(place)
        return trial


def draw(case: str, seed: int) -> Sample:
    """The n-th input of a format: its voxels are odd, or its header, or its bytes, or what kind of file it is."""
    name = case.rpartition(" ")[0]
    chance = Random(f"{seed}/{case}")
    where = chance.choices(("nothing", "voxels", "header", "bytes", "kind"), (2, 18, 50, 25, 5))[0]
    scan, about = draw_scan(chance, plain=where != "voxels", reflected=name != "DICOM")
    sample = FORMATS[name].make(scan, chance, plain=where != "header")
    if where == "header":
        about = sample.about
    elif where == "bytes":
        file = chance.choice(list(sample.files))
        content = sample.files[file]
        assert isinstance(content, bytes)
        changed, about = mutate_bytes(content, chance)
        sample, about = replace(sample, files={**sample.files, file: changed}), f"{file}: {about}"
    elif where == "kind":
        sample = make_special(sample, chance)
        about = sample.about
    return replace(sample, about=about)


def _listing(folder: Path) -> list[tuple[str, int, int]]:
    states = [(path, path.lstat()) for path in sorted(folder.rglob("*"))]
    return [(str(path), state.st_size, state.st_mtime_ns) for path, state in states]
