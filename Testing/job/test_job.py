"""The job and its method: what they take, refuse, and keep through JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.job import Job
from CTSuperResolutionLib.job.method import Method, parse_settings
from CTSuperResolutionLib.job.parameters import PRESET_NAMES, Parameters
from CTSuperResolutionLib.job.priors import prior_name
from CTSuperResolutionLib.job.region import parse_roi


def job_of(**values: object) -> Job:
    """A job of the entries of a job.json."""
    return Job.from_dict({"input": "scan.nrrd", "output": "out", **values})


def test_defaults() -> None:
    method = job_of().method
    assert method == Method()
    assert (method.scale, method.preset, method.device, method.seed) == ("4", "balanced", "auto", 0)
    assert method.parameters == Parameters.of("balanced")


@pytest.mark.parametrize(
    ("scale", "spacing", "factors"),
    [
        ("2", (1, 1, 1), (2, 2, 2)),
        ("8", (5, 0.7, 0.7), (8, 8, 8)),
        ("3", (1, 1, 1), (3, 3, 3)),
        ("10", (1, 1, 1), (10, 10, 10)),
        ("4,1,1", (4, 1, 1), (4, 1, 1)),
        ("1, 2, 2", (1, 1, 1), (1, 2, 2)),
        ("2,3,2", (1, 1, 1), (2, 3, 2)),
        ("4,2,1", (1, 1, 1), (4, 2, 1)),
        ("isotropic", (0.4, 0.8, 0.8), (1, 2, 2)),
        ("Isotropic", (2.5, 1.0, 1.0), (2.5, 1, 1)),
    ],
)
def test_factors(scale: str, spacing: tuple, factors: tuple) -> None:
    assert Method(scale=scale).refinement(spacing).factors == factors


@pytest.mark.parametrize(
    ("scale", "spacing", "says"),
    [
        ("isotropic", (1.0, 1.1, 1.1), "isotropic already"),
        ("isotropic", (5.0, 3.61, 3.61), "less than 1.5 times apart, .* give a spacing such as 3.61 mm"),
        ("isotropic", (8.0, 0.5, 0.5), "16.0 times"),
    ],
)
def test_factors_that_cannot_be(scale: str, spacing: tuple, says: str) -> None:
    with pytest.raises(JobError, match=says):
        Method(scale=scale).refinement(spacing)


def test_too_many_voxels() -> None:
    Method(scale="2").target_grid((512, 512, 512), (1, 1, 1)).countable()
    with pytest.raises(JobError, match=r"8\.6 billion voxels"):
        Method(scale="4").target_grid((512, 512, 512), (1, 1, 1)).countable()


def test_the_spacing_that_is_advised_makes_isotropic_what_is_less_than_one_and_a_half_times_apart() -> None:
    assert Method(spacing=3.61).refinement((5.0, 3.61, 3.61)).spacing == (3.61, 3.61, 3.61)


@pytest.mark.parametrize("plain", ["cubic", "bilinear"])
def test_plain_interpolation_of_views_takes_whole_factors_two_of_them_equal(plain: str) -> None:
    for method in ({"scale": "4"}, {"scale": "2,3,2"}, {"spacing": 0.5}):
        Method(**method, settings={"view_restoration": plain}).refinement((5.0, 1.0, 1.0))
    for method in ({"scale": "4,3,2"}, {"spacing": 0.8}):
        with pytest.raises(JobError, match=f"view_restoration={plain}"):
            Method(**method, settings={"view_restoration": plain}).refinement((5.0, 1.0, 1.0))


def test_a_spacing_takes_the_place_of_the_scale_and_goes_through_a_file() -> None:
    for spacing, read in (("0.8", 0.8), ("0.8,0.7,0.7", (0.8, 0.7, 0.7)), ([0.8, 0.7, 0.7], (0.8, 0.7, 0.7))):
        job = Job.from_dict({"input": "a.nrrd", "output": "out", "spacing": spacing})
        assert (job.method.spacing, job.method.scale) == (read, None)
        assert Job.from_json(job.to_json()) == job
    with pytest.raises(JobError, match="a scale and a spacing"):
        Job.from_dict({"input": "a.nrrd", "output": "out", "spacing": 0.8, "scale": "4"})


def test_jobs_of_the_first_version_are_read() -> None:
    written = Job(Method(scale="2"), "a.nrrd", "out").to_dict()
    del written["spacing"]
    assert Job.from_dict({**written, "version": 1}).method == Method(scale="2")


@pytest.mark.parametrize(
    "scale", ["2.5", "11", "1", "0", "-4", "4.0", "4,4", "1,1,1", "4,0,1", "11,1,1", "x", "", "4,1,1,1", "²"]
)
def test_scales_that_are_not_allowed(scale: str) -> None:
    with pytest.raises(JobError) as caught:
        Method(scale=scale)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"preset": "papper"}, "the nearest is 'paper'"),
        ({"prior": "ship"}, "no prior 'ship'; the nearest is 'shipped'"),
        ({"device": "gpu"}, "no device 'gpu'; choose auto, cpu or cuda"),
        (
            {"preset": "fast"},
            "no preset 'fast'; choose preview, balanced, best or paper, of which preview is the quickest",
        ),
        ({"settings": {"quality": 1}}, "no parameter 'quality'; choose hu_low, .* or error"),
        ({"device": "cuda:x"}, "the nearest is 'cuda'"),
        ({"seed": -1}, "from 0 to"),
        ({"seed": 1.5}, "whole number"),
        ({"seed": True}, "whole number"),
        ({"roi": "1:2,3:4"}, "z0:z1,y0:y1,x0:x1"),
        ({"roi": "a:2,3:4,5:6"}, "z0:z1,y0:y1,x0:x1"),
        ({"roi": "1-2,3-4,5-6"}, "z0:z1,y0:y1,x0:x1"),
        ({"settings": {"gama": 0.1}}, "the nearest is 'gamma'"),
        ({"input": ""}, "no input"),
        ({"input": 5}, "input of the job is a path, not 5"),
        ({"input": "a\0b"}, "input of the job is a path"),
        ({"output": "a\ud800"}, "output of the job is a path"),
        ({"prior": 5}, "prior of the job is a path, not 5"),
        ({"prior": ["a"]}, "prior of the job is a path"),
        ({"prior": "a\0"}, "prior of the job is a path"),
        ({"prior": "a" * 5000}, "no prior 'aaa"),
        ({"device": ["cpu"]}, "no device"),
        ({"device": "cuda:" + "9" * 400}, "no device"),
        ({"series": 3}, "series of the job is text or nothing, not 3"),
        ({"allow_unusual": "no"}, 'true or false, not "no"'),
        ({"seed": 10**400}, "whole number"),
        ({"settings": [1]}, "object of names"),
        ({"settings": {"views": 10**400}}, "views is a whole number"),
        ({"scale": "9" * 5000 + ",1,1"}, "is not a whole factor"),
        ({"preset": ["paper"]}, "no preset"),
    ],
)
def test_what_is_not_allowed(values: dict, says: str) -> None:
    with pytest.raises(JobError, match=says):
        job_of(**values)


def test_region() -> None:
    job = job_of(roi="2:10,:20,5:")
    assert job.region((30, 40, 50)) == (slice(2, 10), slice(0, 20), slice(5, 50))
    assert job_of().region((3, 4, 5)) == (slice(0, 3), slice(0, 4), slice(0, 5))


@pytest.mark.parametrize(
    ("roi", "said"),
    [
        ("0:31,:,:", "0:31 along z is not inside the volume's 0:30"),
        (":,-1:5,:", "not inside the volume"),
        (":,:,7:7", "7:7 along x is empty"),
        (":,9:3,:", "9:3 along y is empty"),
    ],
)
def test_region_outside_the_volume(roi: str, said: str) -> None:
    with pytest.raises(JobError, match=said):
        job_of(roi=roi).region((30, 30, 30))


def test_prior_by_path(tmp_path: Path) -> None:
    assert Method(prior=str(tmp_path)).prior == str(tmp_path)


def test_settings_entries() -> None:
    assert parse_settings(["views=3", "views= 36", "psf=mean"]) == {"views": "36", "psf": "mean"}
    with pytest.raises(JobError, match="'views' is not of the form name=value"):
        parse_settings(["views"])


bounds = st.one_of(st.none(), st.integers(0, 10_000))
jobs = st.builds(
    job_of,
    scale=st.sampled_from(["2", "4", "8", "isotropic", "4,1,1", "1,3,3"]),
    preset=st.sampled_from(sorted(PRESET_NAMES)),
    roi=st.one_of(st.none(), st.tuples(*[st.tuples(bounds, bounds)] * 3)),
    seed=st.integers(0, 2**32 - 1),
    series=st.one_of(st.none(), st.text(max_size=20)),
    allow_unusual=st.booleans(),
    settings=st.fixed_dictionaries({}, optional={"views": st.integers(4, 1000), "gamma": st.floats(1e-6, 1)}),
)


@given(jobs)
def test_json_keeps_the_job(job: Job) -> None:
    assert Job.from_json(job.to_json()) == job
    assert Job.from_json(json.dumps(job.to_dict())).method.parameters == job.method.parameters


def test_a_job_file_is_flat() -> None:
    """As it has been from the first version on, the method's entries beside the job's."""
    text = """{
  "version": 3,
  "input": "scan.nrrd", "output": "out", "scale": "4,1,1", "spacing": null, "preset": "preview",
  "roi": [[0, 9], [null, 20], [3, null]],
  "device": "cpu", "prior": "shipped", "seed": 7, "series": "2", "allow_unusual": true, "untilt": false,
  "memory": "4GB", "fresh": false,
  "settings": {"views": 30}
}"""
    job = Job.from_json(text)
    method = Method("4,1,1", "preview", {"views": 30}, seed=7, device="cpu")
    assert job == Job(method, "scan.nrrd", "out", ((0, 9), (None, 20), (3, None)), "2", True, memory="4GB")
    assert json.loads(job.to_json()) == json.loads(text) and list(json.loads(job.to_json())) == list(json.loads(text))
    assert Job.from_json(text.replace('"version": 3,', "")) == job  # as the first files were


@given(st.one_of(bounds, st.none()), bounds, bounds)
def test_roi_text_and_pairs_agree(start: int | None, stop: int | None, other: int | None) -> None:
    text = ",".join(f"{'' if a is None else a}:{'' if b is None else b}" for a, b in [(start, stop), (other, None)] * 2)
    first_three = text.rsplit(",", 1)[0]
    assert parse_roi(first_three) == ((start, stop), (other, None), (start, stop))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not JSON"),
        ("[]", "JSON object"),
        ('{"input": "a", "output": "b", "sclae": "4"}', "no job entry 'sclae'; the nearest is 'scale'"),
        ('{"input": "a"}', "no output"),
        ('{"input": "a", "output": "b", "settings": [1]}', "object of names"),
        ('{"input": "a", "output": "b", "roi": [[0, 1.5], [0, 2], [0, 2]]}', "z0:z1"),
        ('{"version": 4, "new": 1}', r"is of version 4, and 3 is the latest .* update"),
        ('{"input": "a", "output": "b", "memory": "4"}', "memory of a job is a number of MB or GB, such as 4GB"),
        ('{"input": "a", "output": "b", "memory": "0GB"}', "number of MB or GB"),
        ('{"input": "a", "output": "b", "fresh": 1}', "entry fresh of the job is true or false"),
        ('{"version": 0}', "version of a job file is a whole number from 1 up, not 0"),
        ('{"version": "1"}', 'not "1"'),
        ('{"version": true}', "not true"),
        (b"\xff", "not JSON"),
    ],
)
def test_bad_job_files(text: str | bytes, says: str) -> None:
    with pytest.raises(JobError, match=says) as caught:
        Job.from_json(text)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("depth", [4, 300, 500, 700, 900, 990, 1_000, 100_000])
@pytest.mark.parametrize("entry", ["scale", "preset", "seed", "roi", "settings", "input", "series", "unheard of"])
def test_deeply_nested_job_files(entry: str, depth: int) -> None:
    """Around Python's own limit, what fits when it is read need not fit when it is shown."""
    for opened, closed in (("[", "]"), ('{"a":', "}")):
        text = f'{{"input": "a", "output": "b", "{entry}": {opened * depth}0{closed * depth}}}'
        with pytest.raises(JobError, match="nested more deeply") as caught:
            Job.from_json(text)
        assert str(caught.value).endswith(".")
    with pytest.raises(JobError, match="nested more deeply"):
        Job.from_json("[" * 100_000)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_job_files_as_editors_write_them(encoding: str) -> None:
    """Windows' tools put a byte order mark first."""
    job = job_of(input="größe.nrrd", seed=3)
    assert Job.from_json(job.to_json().encode(encoding)) == job
    assert Job.from_json("\ufeff" + job.to_json()) == job


def test_name_of_a_prior(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path / "mine")
    named = {
        "shipped": "shipped",
        ".": "mine",
        "..": tmp_path.name,
        "../mine/": "mine",
        "gr\udcf6\u00df": "gr\\udcf6\u00df",
    }
    assert {prior: prior_name(prior) for prior in named} == named
