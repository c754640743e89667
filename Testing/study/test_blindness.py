"""What the readers' part of a study gives away of the methods: nothing but the voxels."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from CTSuperResolutionLib.study.design import design_study
from CTSuperResolutionLib.study.plan import Plan
from CTSuperResolutionLib.study.schedule import sessions_of

sklearn = pytest.importorskip("sklearn")


def images_of(folder: Path) -> list[Path]:
    return sorted((folder / "reader" / "images").iterdir())


def key_of(folder: Path) -> dict:
    return json.loads((folder / "key.json").read_text())


def header_of(path: Path) -> bytes:
    return path.read_bytes().partition(b"\n\n")[0]


def test_everything_but_the_voxels_is_equal_for_all_images_of_a_shape(study_folder: Path) -> None:
    paths = images_of(study_folder)
    assert len(paths) > 36
    told = {
        (len(path.name), path.suffix, header_of(path), s.st_size, s.st_mtime_ns, stat.S_IMODE(s.st_mode), s.st_nlink)
        for path in paths
        for s in [path.stat()]
    }
    assert len(told) == 1
    assert b"encoding: raw" in header_of(paths[0]) and b"type: short" in header_of(paths[0])
    assert b"space origin: (0,0,0)" in header_of(paths[0])


def test_no_name_of_a_method_a_case_or_a_path_is_in_the_readers_part(study_folder: Path, plan: Plan) -> None:
    text = (study_folder / "reader" / "study.json").read_text()
    names = {*plan.methods, plan.reference, *(case.name for case in plan.cases), "degraded", "attention", "repeat"}
    assert [name for name in names if re.search(rf"\b{name}\b", text)] == []
    assert str(plan.cases[0].images["sr"].parent) not in text
    assert str(plan.seed) not in re.findall(r"\d+", json.dumps(json.loads(text)["reading"]))
    assert not [p for p in (study_folder / "reader").rglob("*") if "key" in p.name]


def features(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All that can be known of an image without looking at it, what method it is of, and its case."""
    key, study = key_of(folder), json.loads((folder / "reader" / "study.json").read_text())
    trials = [(r, s, i, t) for r, ss in study["readers"].items() for s, ts in enumerate(ss) for i, t in enumerate(ts)]
    order = {p.name: i for i, p in enumerate((folder / "reader" / "images").iterdir())}
    written = sorted(images_of(folder), key=lambda p: p.stat().st_ctime_ns)
    rows, methods, cases = [], [], []
    for name, image in key["images"].items():
        if image["method"] not in ("cubic", "sr"):
            continue
        if image["case"] == "practice":
            continue
        looks = [(s, i, t) for _, s, i, t in trials if name in t["images"] and t["task"] != "like"]
        s = (folder / "reader" / "images" / name).stat()
        rows.append(
            [
                *(int(c, 16) for c in name[:16]),
                len(looks),
                order[name],
                written.index(folder / "reader" / "images" / name),
                list(study["images"]).index(name),
                s.st_size,
                s.st_mtime,
                s.st_ino,
                np.mean([x[0] for x in looks]),
                np.mean([x[1] for x in looks]),
                min((x[0], x[1]) for x in looks)[1],
                np.mean([x[2]["images"][0] == name for x in looks if len(x[2]["images"]) > 1]),
            ]
        )
        methods.append(image["method"])
        cases.append(image["case"])
    return np.array(rows, dtype=float), np.array(methods), np.array(cases)


@pytest.mark.slow
def test_no_classifier_tells_the_methods_without_looking(simple_plan: Callable[..., Plan], tmp_path: Path) -> None:
    """Eight studies, learnt from seven and tried on the eighth: right as often as chance allows."""
    from sklearn.ensemble import RandomForestClassifier

    found = []
    for seed in range(8):
        plan = simple_plan(seed=seed, attention_checks=6)
        design_study(plan, tmp_path / str(seed))
        found.append(features(tmp_path / str(seed)))
    right = total = 0
    for left_out in range(len(found)):
        train = [f for i, f in enumerate(found) if i != left_out]
        forest = RandomForestClassifier(100, random_state=0, n_jobs=1)
        forest.fit(np.concatenate([f[0] for f in train]), np.concatenate([f[1] for f in train]))
        right += int((forest.predict(found[left_out][0]) == found[left_out][1]).sum())
        total += len(found[left_out][1])
    assert total == 192
    # Both images of a case are told or neither is, for what one has of sides the other lacks: p = 0.0005 by chance.
    assert right / total < 0.5 + 3.3 * np.sqrt(0.25 / (total / 2))


def test_the_place_of_an_image_in_all_orders_tells_nothing(simple_plan: Callable[..., Plan]) -> None:
    """Over 100 studies: how often an image is shown, in which sessions and places, and on which side."""
    differences = []
    for seed in range(100):
        plan = simple_plan(seed=seed, attention_checks=6)
        looks: dict[str, list[tuple[float, ...]]] = {"cubic": [], "sr": []}
        for reader in plan.readers:
            for number, session in enumerate(sessions_of(plan, reader)):
                for place, trial in enumerate(session):
                    for method in {"cubic", "sr"} & set(trial.methods):
                        side = np.nan if trial.task != "prefer" else float(trial.methods[0] == method)
                        looks[method].append((number, place, side))
        of_method = [[len(found), *np.nanmean(found, axis=0)] for found in looks.values()]
        differences.append(np.subtract(*of_method))
    p_values = stats.ttest_1samp(differences, 0).pvalue
    assert p_values.shape == (4,) and (p_values > 0.001).all()


@pytest.mark.slow
def test_the_classifier_would_tell_them_by_a_name(study_folder: Path) -> None:
    """That it can learn at all from as few images."""
    from sklearn.ensemble import RandomForestClassifier

    rows, methods, _ = features(study_folder)
    rows[:, 0] = methods == "sr"
    forest = RandomForestClassifier(100, random_state=0, n_jobs=1).fit(rows[:16], methods[:16])
    assert (forest.predict(rows[16:]) == methods[16:]).mean() > 0.7


def test_padding_of_one_image_is_padding_of_all(simple_plan: Callable[..., Plan], tmp_path: Path) -> None:
    import nrrd

    from CTSuperResolutionLib.volume.reading import read_volume

    plan = simple_plan()
    case = plan.cases[0]
    values, header = nrrd.read(str(case.images["sr"]))
    padded = values.copy()
    padded[:3] = -3000  # what no scanner measured, in one of them only
    nrrd.write(str(tmp_path / "padded.nrrd"), padded, header)
    assert not read_volume(tmp_path / "padded.nrrd").valid[:, :, :3].any()
    case.images["sr"] = tmp_path / "padded.nrrd"
    design_study(plan, tmp_path / "study")
    key = key_of(tmp_path / "study")
    ours = [name for name, image in key["images"].items() if image["case"] == case.name]
    assert len(ours) >= 3
    for name in ours:
        written, _ = nrrd.read(str(tmp_path / "study" / "reader" / "images" / name))
        assert (written[:3] == -1024).all() and (written[3:] > -1024).all()
