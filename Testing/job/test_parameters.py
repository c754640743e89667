"""The one table of numbers."""

from __future__ import annotations

import pytest

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.parameters import PARAMETERS, PRESET_NAMES, Parameters, find_parameter


def test_every_default_is_within_its_own_limits() -> None:
    for parameter in PARAMETERS.values():
        assert tuple(parameter.defaults) == PRESET_NAMES
        for value in parameter.defaults.values():
            assert parameter.parse(value) == value
            assert type(value) is parameter.type


def test_every_parameter_can_be_shown_in_a_panel() -> None:
    for parameter in PARAMETERS.values():
        assert parameter.help.endswith(".") and "\n" not in parameter.help
        assert parameter.group and parameter.audience in ("user", "ablation")
        assert parameter.choices or parameter.low < parameter.high


def test_presets_are_the_columns_of_the_table() -> None:
    assert [Parameters.of(preset).views for preset in PRESET_NAMES] == list(PARAMETERS["views"].defaults.values())
    assert list(PRESET_NAMES) == ["preview", "balanced", "best", "paper"]
    # The paper: 100 views, DDIM with 50 steps from pure noise, eta 0.99, 5,000 iterations, cone beam, block means.
    paper = Parameters.of("paper")
    assert (paper.views, paper.ddim_steps, paper.start_step, paper.eta, paper.iterations) == (100, 50, 999, 0.99, 5000)
    assert (paper.geometry, paper.psf) == ("cone", "mean")


def test_best_is_balanced_with_every_slice_seen_in_all_orientations() -> None:
    assert Parameters.of("best") == Parameters.of("balanced", {"slice_orientations": 8})


def test_settings_override_the_preset_and_take_the_parameter_s_type() -> None:
    numbers = Parameters.of("preview", {"views": "36", "sigma_y": "1", "psf": "mean", "iterations": "2e2"})
    assert (numbers.views, numbers.sigma_y, numbers.psf, numbers.iterations) == (36, 1.0, "mean", 200)
    assert [type(v) for v in (numbers.views, numbers.sigma_y, numbers.iterations)] == [int, float, int]
    assert numbers.gaussians == Parameters.of("preview").gaussians


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"vieuws": 3}, "'vieuws'; the nearest is 'views'"),
        ({"lambda_tvv": 3}, "the nearest is 'lambda_tv'"),
        ({"views": "many"}, "views is a whole number, not 'many'"),
        ({"views": 36.5}, "whole number"),
        ({"views": True}, "whole number"),
        ({"views": 1}, "between 4 and 1000, not at 1"),
        ({"eta": "nan"}, "eta is a number"),
        ({"eta": 1.01}, "between 0 and 1"),
        ({"psf": "lanczoz"}, "no psf 'lanczoz'; the nearest is 'lanczos'"),
        ({"gaussians": 30_000, "max_gaussians": 20_000}, "only have 20000"),
        ({"ddim_steps": 100, "start_step": 50}, "do not fit below diffusion step 50"),
        ({"time_travel": 2}, "time_travel does nothing in a single denoising step"),
        ({"adaptive_frontal": 5}, "adaptive_frontal does nothing in a single denoising step"),
        ({"samples": 2}, "start_step 0 would all be the same"),
        ({"samples": 2, "start_step": 10, "null_space": 0}, "all the same without the prior"),
    ],
)
def test_what_is_not_allowed_says_so_in_one_sentence(settings: dict, says: str) -> None:
    with pytest.raises(JobError) as caught:
        Parameters.of("balanced", settings)
    assert says in str(caught.value)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(JobError, match="no preset 'balance'; the nearest is 'balanced'"):
        Parameters.of("balance")


def test_find_parameter() -> None:
    assert find_parameter("views") is PARAMETERS["views"]
