"""The table of methods, and the baselines in it."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage as ndi
import torch

from CTSuperResolutionLib.degradation.operator import make_degradation
from CTSuperResolutionLib.degradation.simulation import degrade
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.evaluation.baselines import baseline
from CTSuperResolutionLib.evaluation.methods import DEFAULT_METHODS, METHODS, parse_methods
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.job.parameters import PRESET_NAMES, Parameters

METHOD = Method(scale="1,4,4", settings={"psf": "lanczos"})


@pytest.mark.parametrize("preset", PRESET_NAMES)
def test_every_method_is_a_job_and_no_two_are_one(preset):
    """But for views-ddnm+, which is what a preset does that looks at views alone."""
    numbers = {n: Parameters.of(preset, m.settings) for n, m in METHODS.items() if m.settings is not None}
    assert numbers["nab-gs"] == Parameters.of(preset)
    assert not any(numbers[name].uses_prior for name in ("no-prior", "views-bilinear", "views-cubic"))
    same = {name for name, n in numbers.items() if name != "nab-gs" and n == numbers["nab-gs"]}
    assert same == ({"views-ddnm+"} if not Parameters.of(preset).slice_gain else set())
    assert len(set(numbers.values())) == len(numbers) - len(same)


def test_names():
    assert set(DEFAULT_METHODS) <= set(METHODS)
    assert parse_methods(" r2-gs,cubic,,r2-gs") == ("r2-gs", "cubic")
    with pytest.raises(JobError, match="nearest is 'cubic'"):
        parse_methods("trilinear,cubik")
    with pytest.raises(JobError, match="names no method"):
        parse_methods(" , ")


@pytest.mark.parametrize(("name", "order", "mode"), [("trilinear", 1, "nearest"), ("cubic", 3, "reflect")])
def test_interpolation_is_scipy_s_at_voxel_centres(volume, name, order, mode):
    scan = volume(np.random.default_rng(0).normal(0, 400, (9, 10, 11)), (3.0, 4.0, 4.0))
    at = [np.arange(9), (np.arange(40) + 0.5) / 4 - 0.5, (np.arange(44) + 0.5) / 4 - 0.5]
    expected = ndi.map_coordinates(scan.array.astype(float), np.meshgrid(*at, indexing="ij"), order=order, mode=mode)
    found = baseline(name, scan, METHOD)
    assert found.spacing == (3.0, 1.0, 1.0)
    assert np.abs(found.array - expected).max() < 0.01


def test_consistent_gives_the_scan_back_and_is_nearer_to_the_truth(volume):
    blobs = ndi.gaussian_filter(np.random.default_rng(0).normal(0, 1, (12, 64, 64)), (2, 4, 4)) > 0
    truth = volume(ndi.gaussian_filter(400.0 * blobs, 0.7))
    scan = degrade(truth, (1, 4, 4))
    degradation = make_degradation(truth.shape, (1, 4, 4))
    off, wrong = {}, {}
    for name in ("cubic", "consistent"):
        fine = baseline(name, scan, METHOD).array
        off[name] = np.square(degradation.A(torch.from_numpy(fine)).numpy() - scan.array).mean() ** 0.5
        wrong[name] = np.square(fine - truth.array).mean()
    assert off["consistent"] < 0.2 * off["cubic"]
    assert wrong["consistent"] < 0.9 * wrong["cubic"]
