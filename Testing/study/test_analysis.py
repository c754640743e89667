"""The analysis of a study that was read by simulated readers, against what is known of them."""

from __future__ import annotations

import csv
import itertools
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.study.analysis import OVERALL, Analysis, analyse
from CTSuperResolutionLib.study.answers import check_study, read_answers
from CTSuperResolutionLib.study.demo import SimulatedCases, SimulatedReader, read_to_end
from CTSuperResolutionLib.study.design import design_study
from CTSuperResolutionLib.study.export import export_grades
from CTSuperResolutionLib.study.plan import Plan
from CTSuperResolutionLib.study.reading import open_reading
from CTSuperResolutionLib.study.report import write_report
from CTSuperResolutionLib.study.simulation import Effect
from CTSuperResolutionLib.study.study_files import read_key, read_study
from CTSuperResolutionLib.volume.volume import Volume
from CTSuperResolutionLib.volume.writing import write_volume

EFFECT = Effect(share=0.9, reader_sd=0.1, case_sd=0.1)
TASKS = [
    {"name": "grade", "kind": "grading", "criteria": ["lung", "vessels"]},
    {"name": "prefer", "kind": "forced_choice", "criteria": ["Which is sharper?"]},
    {"name": "mark", "kind": "marking", "criteria": ["What is invented or missing?"]},
]


def read_by_all(folder: Path, seed: int = 0) -> None:
    study = read_study(folder)
    key = read_key(folder, study)
    cases = SimulatedCases(EFFECT, list(key.truth), np.random.default_rng([seed, 0]))
    for number, name in enumerate(study.sessions):
        reader = SimulatedReader(EFFECT, cases, np.random.default_rng([seed, 1, number]))
        read_to_end(folder, name, reader, key)


@pytest.fixture(scope="module")
def read_folder(plan_values: tuple[dict, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    values, folder = plan_values
    plan = Plan.from_dict(values | {"tasks": TASKS, "readers": ["Ada", "Ben", "Cleo", "Dan"]}, folder)
    made = tmp_path_factory.mktemp("read") / "study"
    design_study(plan, made)
    read_by_all(made)
    return made


@pytest.fixture(scope="module")
def analysis(read_folder: Path) -> Analysis:
    return analyse(read_answers(read_folder), draws=600)


def test_every_answer_is_joined_with_what_was_shown(read_folder: Path) -> None:
    """Counted from the logs and the key by hand."""
    answers = read_answers(read_folder)
    key = json.loads((read_folder / "key.json").read_text())
    preferred = []
    for log in (read_folder / "reader" / "answers").glob("*/answers.jsonl"):
        for line in log.read_text().splitlines():
            entry = json.loads(line)["entry"]
            trial = key["trials"].get(entry.get("trial"), {"role": ""})
            if trial["role"] == "main" and "choice" in entry["answer"]:
                preferred.append(trial["methods"][["left", "right"].index(entry["answer"]["choice"])])
    (prefer,) = (task for task in answers.study.tasks.values() if task.name == "prefer")
    table = answers.preferences(prefer, "cubic", "sr")
    assert table.shape == (4, 12) and np.isfinite(table).all()
    assert table.mean() == pytest.approx(np.mean([name == "sr" for name in preferred]))


def test_what_was_put_in_comes_out(analysis: Analysis) -> None:
    found = {(row["task"], row["question"]): row for row in analysis.comparisons}
    share = found["prefer", "Which is sharper?"]
    assert share["low"] <= EFFECT.share <= share["high"] and share["low"] > 0.5
    for criterion in ("lung", "vessels"):
        area = found["grade", criterion]
        assert area["low"] <= EFFECT.area <= area["high"]
    assert found["grade", OVERALL]["estimate"] > 0.5
    assert all(row["p Holm"] >= row["p"] for row in analysis.comparisons)
    assert {row["passed"] for row in analysis.attention} == {3}
    odds = [row for row in analysis.models if row["measure"].startswith("odds")]
    assert len(odds) == 2 and all(row["estimate"] > 1 for row in odds)


def test_marks_are_counted_and_held_against_the_reference(analysis: Analysis, read_folder: Path) -> None:
    counts = {(row["method"], row["kind"]): row for row in analysis.mark_counts}
    assert {row["images read"] for row in counts.values()} == {48}
    assert sum(row["marks"] for row in counts.values()) == len(analysis.marks) > 40
    assert counts["cubic", "missing"]["marks an image"] > counts["sr", "missing"]["marks an image"]
    assert all(row["difference HU"] is None for row in analysis.marks)  # this study shows no reference


def test_a_mark_has_the_difference_to_the_reference_there(study_folder: Path, tmp_path: Path) -> None:
    import nrrd

    folder = Path(shutil.copytree(study_folder, tmp_path / "study"))
    key = json.loads((folder / "key.json").read_text())
    clock = itertools.count(0, 10**6)  # no washout is longer
    for reader in ("Ada", "Ben"):
        with open_reading(folder, reader, lambda: next(clock)) as reading:
            while (trial := reading.trial) is not None:
                answer = {
                    "grading": {"grades": dict.fromkeys(trial.task.criteria, 3)},
                    "reference_rating": {"grades": dict.fromkeys(trial.task.criteria, 4)},
                    "forced_choice": {"choice": "tie"},
                    "marking": {"marks": [{"voxel": [1, 2.4, 11.4], "kind": "invented"}]},
                }[trial.task.kind]
                reading.answer(answer, 1.0)
    found = analyse(read_answers(folder), draws=50)
    assert len(found.marks) == 2 * 2 * 12
    names = {(image["case"], image["method"]): name for name, image in key["images"].items()}
    for row in found.marks:
        values = [
            nrrd.read(str(folder / "reader" / "images" / names[row["case"], method]))[0][11, 2, 1]
            for method in (row["method"], "truth")
        ]
        assert row["difference HU"] == float(values[0]) - float(values[1])
        assert row["added HU"] is None and row["typical added HU"] is None  # nor what was measured
    (share,) = (row for row in found.comparisons if row["task"] == "prefer")
    assert share["estimate"] == 0.5 and share["p"] is None  # all ties
    assert [row["passed"] for row in found.attention] == [0, 0]  # who answers all alike is found


def test_the_report_has_every_figure_and_no_other(analysis: Analysis, tmp_path: Path) -> None:
    write_report(analysis, tmp_path)
    markdown, page = (tmp_path / "report.md").read_text(), (tmp_path / "report.html").read_text()
    for row in analysis.comparisons:
        line = f"| {row['estimate']:.3f} | {row['low']:.3f} | {row['high']:.3f} |"
        assert line in markdown
        assert f"<td>{row['estimate']:.3f}</td><td>{row['low']:.3f}</td>" in page
    assert "corrected for the 4 tests" in markdown
    for picture in re.findall(r"!\[.*\]\((.+)\)", markdown):
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG") and f'src="{picture}"' in page
    with (tmp_path / "answers.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(len(a.trial.questions) for a in analysis.answers.all)
    main = [r for r in rows if r["kind"] == "forced_choice" and r["role"] == "main"]
    (share,) = (row for row in analysis.comparisons if row["task"] == "prefer")
    assert np.mean([r["preferred"] == "sr" for r in main]) == pytest.approx(share["estimate"])


def test_the_export_gives_the_area_back(read_folder: Path, analysis: Analysis, tmp_path: Path) -> None:
    """The mean of readers' Mann–Whitney areas, computed from each of the two files."""
    from scipy import stats

    export_grades(analysis.answers, tmp_path)
    (area,) = (row for row in analysis.comparisons if row["question"] == "lung")
    with (tmp_path / "grade-1-mrmcaov.csv").open() as file:
        rows = list(csv.DictReader(file))

    def mean_area(scores: list[tuple[str, int, float]]) -> float:
        areas = []
        for reader in sorted({r for r, _, _ in scores}):
            a, b = ([s for r, t, s in scores if r == reader and t == truth] for truth in (1, 0))
            areas.append(stats.mannwhitneyu(a, b).statistic / (len(a) * len(b)))
        return float(np.mean(areas))

    of_csv = [(r["reader"], int(r["truth"]), float(r["rating"])) for r in rows]
    assert mean_area(of_csv) == pytest.approx(area["estimate"])
    text = (tmp_path / "grade-1.imrmc").read_text()
    head, body = text.split("BEGIN DATA:\n")
    assert "NR: 4\nN0: 12\nN1: 12\nNM: 1\n" in head
    lines = [line.split(",") for line in body.splitlines()]
    truth = {case: int(value) for reader, case, modality, value in lines if (reader, modality) == ("truth", "truth")}
    assert len(truth) == 24
    scores = [(reader, truth[case], float(value)) for reader, case, _, value in lines if reader != "truth"]
    assert len(scores) == 96 and mean_area(scores) == pytest.approx(area["estimate"])


def test_cases_with_a_truth_are_exported_with_it(read_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(read_folder, tmp_path / "study"))
    key = json.loads((folder / "key.json").read_text())
    key["truth"] = {name: index % 3 == 0 for index, name in enumerate(key["truth"])}
    (folder / "key.json").write_text(json.dumps(key))
    export_grades(read_answers(folder), tmp_path)
    assert "N0: 8\nN1: 4\nNM: 2\n" in (tmp_path / "grade-2.imrmc").read_text()


def test_a_mark_has_what_the_image_has_there_beyond_what_was_measured(plan_values, tmp_path: Path) -> None:
    """Beside 10 HU everywhere, 300 HU were added 2 mm from the mark, and 900 HU at more than that."""
    values, folder = plan_values
    cases = {}
    for name in ("a", "b"):
        body = np.random.default_rng(5).integers(-800, 900, (8, 10, 12)).astype(np.float32)
        sr = body + 10
        sr[3, 5, 6] += 290  # a slice of 2 mm from [4, 5, 6]
        sr[3, 5, 7] += 890  # √5 mm
        images = {"measured": body, "sr": sr, "cubic": body + 1}
        cases[name] = {"images": {method: str(tmp_path / f"{name}-{method}.nrrd") for method in images}}
        for method, array in images.items():
            volume = Volume(array, (2.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
            write_volume(volume, tmp_path / f"{name}-{method}.nrrd")
    entries = values | {"cases": cases, "tasks": TASKS[2:], "readers": ["Ada", "Ben"], "training": {}}
    plan = Plan.from_dict(entries | {"reference": "", "repeats": 0, "attention_checks": 0}, folder)
    design_study(plan, tmp_path / "study")
    assert not list((tmp_path / "study" / "reader").rglob("*measured*"))
    clock = itertools.count(0, 10**6)
    for reader in plan.readers:
        with open_reading(tmp_path / "study", reader, lambda: next(clock)) as reading:
            while reading.trial is not None:
                marks = [{"voxel": voxel, "kind": "invented"} for voxel in ([4, 5, 6], [0, 0, 0])]
                reading.answer({"marks": marks}, 1.0)
    found = analyse(read_answers(tmp_path / "study"))
    at = {(row["method"], row["z"]): (row["added HU"], row["typical added HU"]) for row in found.marks}
    assert at == {("sr", 4): (300, 10), ("sr", 0): (10, 10), ("cubic", 4): (1, 1), ("cubic", 0): (1, 1)}
    write_report(found, tmp_path)
    assert (
        "marks of sr as invented, the image differs from the measured by up to" in (tmp_path / "report.md").read_text()
    )


def areas_in_r(package: str, file: Path) -> dict[str, float]:
    """Area under the curve by treatment, averaged over readers, as a package of R has it."""
    script = Path(__file__).with_name("read_export.R")
    if shutil.which("Rscript") is None or subprocess.run(["Rscript", "-e", f"library({package})"]).returncode:
        pytest.skip(f"R with the package {package} is not installed")
    found = subprocess.run(["Rscript", str(script), package, str(file)], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    return {name: float(area) for name, area in (line.rsplit(",", 1) for line in found.stdout.splitlines())}


def test_imrmc_finds_the_same_area_in_r(analysis: Analysis, tmp_path: Path) -> None:
    export_grades(analysis.answers, tmp_path)
    (area,) = (row for row in analysis.comparisons if row["question"] == "lung")
    assert areas_in_r("iMRMC", tmp_path / "grade-1.imrmc") == {"sr against cubic": pytest.approx(area["estimate"])}


def test_both_packages_compare_methods_in_r_where_cases_have_a_truth(read_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(read_folder, tmp_path / "study"))
    key = json.loads((folder / "key.json").read_text())
    key["truth"] = {name: index % 3 == 0 for index, name in enumerate(key["truth"])}
    (folder / "key.json").write_text(json.dumps(key))
    answers = read_answers(folder)
    export_grades(answers, tmp_path)
    has = np.array([key["truth"][case] for case in answers.cases])
    expected = {}
    for method in ("cubic", "sr"):
        grades = answers.grades(answers.study.tasks["grade"], "lung", method)
        more = grades[:, has][:, :, None] - grades[:, ~has][:, None]
        expected[method] = pytest.approx(((more > 0) + (more == 0) / 2).mean())
    assert areas_in_r("iMRMC", tmp_path / "grade-1.imrmc") == expected
    assert areas_in_r("MRMCaov", tmp_path / "grade-1-mrmcaov.csv") == expected


def test_a_check_counts_answers_and_finds_what_was_changed(read_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(read_folder, tmp_path / "study"))
    found = check_study(folder)
    assert found["key"] and set(found["readers"]) == {"Ada", "Ben", "Cleo", "Dan"}
    assert all(done == total for done, total in found["readers"].values())
    log = folder / "reader" / "answers" / "Ben" / "answers.jsonl"
    shutil.copytree(log.parent, log.parents[1] / "Ben (1)")
    with pytest.raises(JobError, match="in the folder of no reader of this study; name the folder after its reader"):
        check_study(folder)
    shutil.rmtree(log.parents[1] / "Ben (1)")
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([*lines[:6], lines[6].replace(b'"seconds":', b'"seconds":1'), *lines[7:]]))
    with pytest.raises(JobError, match=r"answers\.jsonl was edited or damaged at line 7,"):
        check_study(folder)
    log.unlink()
    image = next((folder / "reader" / "images").iterdir())
    content = bytearray(image.read_bytes())
    content[-1] ^= 1
    image.write_bytes(bytes(content))
    with pytest.raises(JobError, match=f"The image .*{image.name} was changed; copy the study again"):
        check_study(folder)


def test_too_few_answers_are_refused(study_folder: Path) -> None:
    with pytest.raises(JobError, match="needs the answers of two readers on two cases at least"):
        analyse(read_answers(study_folder))


def test_several_methods_are_ranked(simple_plan: Callable[..., Plan], tmp_path: Path) -> None:
    """Three methods with an order that every reader follows nearly always."""
    plan = simple_plan(methods=["cubic", "sr", "truth"], tasks=TASKS[1:2], training=None, repeats=0, attention_checks=0)
    design_study(plan, tmp_path / "study")
    key = read_key(tmp_path / "study", read_study(tmp_path / "study"))
    rng, clock = np.random.default_rng(0), itertools.count(0, 10**6)
    strength = {"cubic": 0.0, "sr": 1.0, "truth": 2.0}
    for reader in plan.readers:
        with open_reading(tmp_path / "study", reader, lambda: next(clock)) as reading:
            while (trial := reading.trial) is not None:
                left, right = (strength[m] for m in key.trials[trial.id]["methods"])
                says = "left" if rng.uniform() < 1 / (1 + np.exp(right - left)) else "right"
                reading.answer({"choice": says}, 1.0)
    found = analyse(read_answers(tmp_path / "study"), draws=300)
    assert len(found.comparisons) == 3
    sr, truth = (row for row in found.models if row["measure"].startswith("Bradley"))
    assert sr["low"] <= 1 <= sr["high"] and truth["low"] <= 2 <= truth["high"]
    assert 0 < sr["estimate"] < truth["estimate"]
