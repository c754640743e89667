"""The whole method on small phantoms: geometry, agreement with the scan, reproducibility, and that it helps."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from CTSuperResolutionLib import pipeline
from CTSuperResolutionLib.degradation.operator import Degradation, make_degradation
from CTSuperResolutionLib.degradation.simulation import degrade
from CTSuperResolutionLib.errors import Cancelled
from CTSuperResolutionLib.evaluation.baselines import baseline
from CTSuperResolutionLib.evaluation.metrics import psnr
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.job.refinement import whole_factors
from CTSuperResolutionLib.phantom import thorax
from CTSuperResolutionLib.pipeline import super_resolve
from CTSuperResolutionLib.planning.cost_model import BASE_BYTES, estimate_memory, stage_seconds
from CTSuperResolutionLib.stages.upsample_scan import upsample_scan
from CTSuperResolutionLib.volume.volume import Volume

OBLIQUE = (0.8, -0.36, 0.48, 0.6, 0.48, -0.64, 0.0, 0.8, 0.6)
QUICK = {"views": 8, "iterations": 20, "gaussians": 1500, "max_gaussians": 2000, "densify_every": 5, "psf": "lanczos"}


@pytest.fixture(scope="module")
def truth():
    return thorax(shape=(32, 48, 48), spacing=2.0)


def method(scale: str, **settings) -> Method:
    return Method(scale=scale, preset="preview", device="cpu", settings={**QUICK, **settings})


@pytest.mark.parametrize("scale", ["4", "2", "4,1,1", "1,2,2", "1,4,4"])
def test_the_result_is_on_the_refined_grid_and_beats_cubic(truth, scale):
    factors = whole_factors(scale)
    scan = degrade(truth, factors, kernel="lanczos", blur=1.0)
    result = super_resolve(scan, method(scale))
    for volume in (result.sr, result.cubic):
        assert (volume.shape, volume.spacing, volume.direction) == (truth.shape, truth.spacing, truth.direction)
        np.testing.assert_allclose(volume.origin, truth.origin, atol=1e-6)
    assert psnr(result.sr, truth) > psnr(result.cubic, truth) + 0.2


@pytest.mark.parametrize(
    ("finer", "settings"),
    [
        ({"spacing": (1.3, 3.0, 2.0)}, {"psf": "box", "slice_width": 8.0}),
        ({"spacing": (1.7, 1.7, 1.1)}, {"psf": "lanczos"}),
        ({"spacing": 2.1}, {"psf": "mean", "geometry": "cone"}),
        ({"scale": "4,3,2"}, {"psf": "lanczos"}),
    ],
    ids=str,
)
def test_any_spacing_has_the_scans_middle_agrees_with_it_and_beats_cubic(finer, settings):
    truth = ball((96, 66, 64), (1.0, 1.0, 1.0))
    scan = degrade(
        truth, (8, 3, 2), kernel="lanczos" if settings["psf"] == "lanczos" else "mean", blur=(2.0, 0.75, 0.5)
    )
    scan = Volume(scan.array, scan.spacing, (-40.0, 12.5, 900.25), OBLIQUE)
    chosen = replace(method("4", **settings), **finer)
    result = super_resolve(scan, chosen)
    wanted = chosen.refinement(scan.spacing).spacing
    assert result.sr.spacing == result.cubic.spacing == wanted
    middles = [v.point([(n - 1) / 2 for n in v.shape]) for v in (result.sr, scan)]
    np.testing.assert_allclose(*middles, atol=1e-6)
    left = np.multiply(scan.shape, scan.spacing) - np.multiply(result.sr.shape, wanted)
    assert (left > -1e-6).all() and (left < wanted).all()  # as many as fit
    placed = Volume(truth.array, truth.spacing, scan.point([-7 / 16, -1 / 3, -1 / 4]), OBLIQUE)
    expected = sampled(placed, result.sr)
    error = {name: np.sqrt(np.mean((getattr(result, name).array - expected) ** 2)) for name in ("sr", "cubic")}
    assert error["sr"] < 0.9 * error["cubic"]
    degradation = result.acquisition.degradation_from(chosen.target_grid(scan.shape, scan.spacing).axes)
    off = {name: disagreement(getattr(result, name), scan, degradation) for name in ("sr", "cubic")}
    assert off["sr"] < 0.3 * off["cubic"]


def disagreement(fine: Volume, scan: Volume, degradation: Degradation) -> float:
    """Root mean square of A x − y, HU."""
    error = degradation.A(torch.from_numpy(fine.array)) - torch.from_numpy(scan.array)
    return float(error.square().mean().sqrt())


def ball(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> Volume:
    """A ball of 40 HU with a hole in air, antialiased; nothing near the faces."""
    z, y, x = (np.abs(np.arange(n) - (n - 1) / 2) * d for n, d in zip(shape, spacing, strict=True))
    radius = np.sqrt(z[:, None, None] ** 2 + y[:, None] ** 2 + x**2)
    inside = np.clip(26 - radius, 0, 1) - np.clip(9 - radius, 0, 1)
    return Volume((-1000 + 1040 * inside).astype(np.float32), spacing, (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))


def sampled(volume: Volume, grid: Volume) -> np.ndarray:
    """Linear interpolation of a volume at the centres of another grid, by ITK and so in the patient's space."""
    image = sitk.GetImageFromArray(volume.array)
    image.SetSpacing(volume.spacing[::-1])
    image.SetOrigin(volume.origin)
    image.SetDirection(volume.direction)
    size, spacing = grid.shape[::-1], grid.spacing[::-1]
    moved = sitk.Resample(image, size, sitk.Transform(), sitk.sitkLinear, grid.origin, spacing, grid.direction, -1000.0)
    return sitk.GetArrayFromImage(moved)


@pytest.mark.parametrize("noise_hu", [0, 10])
def test_degrading_the_result_gives_back_what_can_be_trusted_of_the_scan(truth, noise_hu):
    """All of it but what clipping at air undoes; of a noisy scan that is less than the scan says."""
    scan = degrade(truth, (2, 2, 2), kernel="lanczos", blur=0.5, noise_hu=noise_hu, seed=1)
    result = super_resolve(scan, method("2"))
    degradation = make_degradation(truth.shape, (2, 2, 2), blur=0.5)
    target = method("2").target_grid(scan.shape, scan.spacing)
    trusted = upsample_scan(scan, target, method("2").parameters, "cpu").consistency.filtered_measurement
    given = degradation.A(torch.from_numpy(result.sr.array))
    assert (given - trusted).square().mean().sqrt() < 0.5
    off = disagreement(result.sr, scan, degradation)
    assert off < (4 if noise_hu else 1)
    assert disagreement(result.cubic, scan, degradation) > 3 * off


def test_noise_raises_the_damping_unless_more_was_asked_for(truth):
    def noise(noise_hu, **settings):
        scan = degrade(truth, (2, 2, 2), kernel="lanczos", blur=0.5, noise_hu=noise_hu, seed=1)
        return super_resolve(scan, method("2", null_space=0, residual="grid", grid_steps=1, **settings)).report["noise"]

    quiet, noisy, damped = noise(0), noise(10), noise(10, damping=0.7)
    assert quiet["hu"] < 0.7 * noisy["hu"] and quiet["damping"] == 0.1
    assert 10 < noisy["hu"] < 15 and noisy["damping"] > 0.2
    assert damped["hu"] == noisy["hu"] and damped["damping"] == 0.7


def test_the_consistent_baseline_is_the_pipelines_first_step(truth):
    """Of a noisy scan, which both have to find noisy. Without a prior the rest of the pipeline adds next to nothing."""
    scan = degrade(truth, (2, 2, 2), kernel="lanczos", blur=0.5, noise_hu=10, seed=1)
    plain = method("2", null_space=0, residual="grid", grid_steps=1)
    difference = super_resolve(scan, plain).sr.array - baseline("consistent", scan, plain).array
    assert np.sqrt(np.mean(difference**2)) < 1


@pytest.mark.parametrize("noise_hu", [0, 10])
def test_the_scanner_does_not_see_what_was_added_to_what_was_measured(truth, noise_hu):
    """Degraded again, result and measured volume are the same scan, to the rounding of whole HU."""
    scan = degrade(truth, (2, 2, 2), kernel="lanczos", blur=0.5, noise_hu=noise_hu, seed=1)
    result = super_resolve(scan, method("2"))
    added = result.sr.array - result.measured.array
    seen = make_degradation(truth.shape, (2, 2, 2), blur=0.5).A(torch.from_numpy(added)).numpy()
    assert np.sqrt(np.mean(added**2)) > 5  # of which the scan would show the better part if it were anything
    assert np.sqrt(np.mean(seen**2)) < 0.1 * np.sqrt(np.mean(added**2))
    consistent = baseline("consistent", scan, method("2"))
    assert np.array_equal(result.measured.array, np.round(consistent.array))
    assert (result.measured.origin, result.measured.spacing) == (result.sr.origin, result.sr.spacing)


def test_whole_hounsfield_units_within_what_matter_can_have(truth):
    sr = super_resolve(degrade(truth, (4, 4, 4), kernel="lanczos", blur=1.0), method("4")).sr.array
    assert sr.min() >= -1024 and sr.max() <= 3071 and np.array_equal(sr, np.round(sr))


def test_one_seed_gives_one_result(truth):
    scan = degrade(truth, (4, 4, 4), kernel="lanczos", blur=1.0)
    first, again = super_resolve(scan, method("4")), super_resolve(scan, method("4"))
    assert np.array_equal(first.sr.array, again.sr.array) and first.report == again.report
    other = super_resolve(scan, replace(method("4"), seed=5))
    assert not np.array_equal(first.sr.array, other.sr.array)


def test_samples_have_a_spread_that_one_seed_gives_again(truth):
    scan = degrade(truth, (4, 4, 4), kernel="lanczos", blur=1.0)
    several = method("4", samples=2, start_step=10)
    first, again = super_resolve(scan, several), super_resolve(scan, several)
    assert np.array_equal(first.sr.array, again.sr.array)
    assert np.array_equal(first.uncertainty.array, again.uncertainty.array)
    assert (first.uncertainty.shape, first.uncertainty.origin) == (first.sr.shape, first.sr.origin)
    assert 0 < first.uncertainty.array.mean() < 100 and first.uncertainty.array.min() >= 0
    assert super_resolve(scan, method("4", start_step=10)).uncertainty is None


@pytest.mark.parametrize("share", [0.01, 0.3, 1.0], ids=["at once", "slices", "uncertainty"])
def test_restoring_can_be_cancelled_all_the_way(truth, share):
    class Cancelling(Progress):
        now, left = "", 0.0

        def stage(self, name, steps=1):
            self.now, self.left = name, Fraction(share) * steps  # counted in exact parts

        def advance(self, steps=1):
            self.left -= steps
            if self.now == "restore" and self.left <= 0:
                raise Cancelled("that is enough")

    stages = Cancelling()
    scan = degrade(truth, (4, 4, 4), kernel="lanczos", blur=1.0)
    with pytest.raises(Cancelled, match="that is enough"):
        super_resolve(scan, method("4", samples=2, start_step=10), progress=stages)
    assert stages.now == "restore"


def test_the_slice_axis_may_be_stored_along_any_axis(truth):
    """A sagittally stored thick-slice scan is the axial one, turned."""
    scan = degrade(truth, (4, 1, 1), kernel="lanczos", blur=1.0)
    axial = super_resolve(scan, method("4,1,1")).sr.array
    turned = Volume(np.ascontiguousarray(scan.array.transpose(1, 2, 0)), (2.0, 2.0, 8.0), (0.0, 0.0, 0.0), OBLIQUE)
    sagittal = super_resolve(turned, method("1,1,4")).sr
    assert np.array_equal(sagittal.array, axial.transpose(1, 2, 0))
    assert sagittal.direction == OBLIQUE


def test_cone_beam_runs_and_agrees_with_the_scan(truth):
    result = super_resolve(degrade(truth, (4, 4, 4), kernel="lanczos", blur=1.0), method("4", geometry="cone"))
    assert psnr(result.sr, truth) > psnr(result.cubic, truth) + 0.2


@pytest.mark.parametrize(
    "choice",
    [
        {"activation": "softplus"},
        {"activation": "relu"},
        {"activation": "sine"},
        {"base": "cubic"},
        {"base": "none"},
        {"base": "none", "activation": "softplus", "start": "edges"},
        {"residual": "grid"},
        {"residual": "grid", "grid_steps": 1},
        {"residual": "grid", "grid_steps": 1, "base": "none"},
        {"sigma_y": 0},
        {"view_restoration": "cubic"},
        {"view_restoration": "bilinear"},
        {"null_space": 0},
    ],
    ids=lambda choice: " ".join(f"{name}={value}" for name, value in choice.items()),
)
def test_every_choice_of_the_ablation_gives_a_result_of_the_scan(truth, choice):
    scan = degrade(truth, (4, 4, 4), kernel="lanczos", blur=1.0)
    result = super_resolve(scan, method("4", views=24, **choice))
    alone = choice.get("base") == "none" and "residual" not in choice  # so few Gaussians are no whole chest yet
    assert psnr(result.sr, truth) > psnr(result.cubic, truth) - (4 if alone else 0)
    degradation = make_degradation(truth.shape, (4, 4, 4), blur=1.0)
    assert disagreement(result.sr, scan, degradation) < 0.2 * disagreement(result.cubic, scan, degradation)
    assert ("gaussians" in result.report) == ("residual" not in choice)
    assert (result.report["prior"] is None) == ("view_restoration" in choice or "null_space" in choice)


def test_expecting_no_noise_ddnm_plus_is_another_sampler(truth):
    scan = degrade(truth, (4, 4, 4), kernel="lanczos", blur=1.0)

    def restored(**settings):
        return super_resolve(scan, method("4", null_space=1, ddim_steps=3, start_step=300, **settings)).sr.array

    assert not np.array_equal(restored(sigma_y=0), restored(sigma_y=0.2))


def test_the_papers_range_leaves_lungs_to_the_upsampling(truth):
    """Without slices, as in that preset, lung comes from the upsampling; at -512 HU it would be twice as bad."""
    scan = degrade(truth, (4, 4, 4), kernel="lanczos", blur=1.0)
    result = super_resolve(scan, method("4", hu_low=-512, slice_gain=0))
    lung = truth.array < -800

    def error(volume: Volume) -> float:
        return np.sqrt(np.mean((volume.array - truth.array)[lung] ** 2))

    assert error(result.sr) < error(result.cubic)
    assert error(result.sr.with_array(np.maximum(result.sr.array, -512))) > 2 * error(result.cubic)


def test_a_region_of_nothing_but_air():
    """Below hu_low there is nothing to project; the result is then what the scan says."""
    values = np.random.default_rng(0).normal(-950, 10, (8, 8, 8)).astype(np.float32)
    air = Volume(values, (4.0, 4.0, 4.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1, 0, 0, 0, 1))
    result = super_resolve(air, method("2", hu_low=-512))
    assert abs(result.sr.array.mean() - values.mean()) < 2 and np.isfinite(result.sr.array).all()


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_a_scans_noise_is_not_magnified_beyond_the_damping(scale):
    """Real scans are noisy. Sharpening may raise their noise by 1/(2 damping) at most, and does far less."""
    noise = np.random.default_rng(0).normal(0, 20, (12, 12, 12)).astype(np.float32)
    scan = Volume(noise, (2.0, 2.0, 2.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1, 0, 0, 0, 1))
    result = super_resolve(scan, method(str(scale), iterations=1, null_space=0))
    assert result.sr.array.std() < 2.2 * result.cubic.array.std()
    assert abs(result.sr.array.mean()) < 2


def test_metal_does_not_spoil_the_rest():
    hu = np.random.default_rng(0).normal(40, 10, (16, 16, 16)).astype(np.float32)
    hu[7:9, 7:9, 7:9] = 30000
    scan = Volume(hu, (2.0, 2.0, 2.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1, 0, 0, 0, 1))
    sr = super_resolve(scan, method("2", iterations=1)).sr.array
    assert abs(np.median(sr) - 40) < 5 and sr.max() < 60000 and sr.mean() == pytest.approx(hu.mean(), rel=0.1)


def test_without_the_priors_share_it_is_not_even_loaded(truth, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("the prior was loaded")

    monkeypatch.setattr(pipeline.Prior, "load", refuse)
    scan = degrade(truth, (4, 4, 4), kernel="lanczos", blur=1.0)
    result = super_resolve(scan, method("4", null_space=0))
    assert result.report["prior"] is None


STAGES = ["upsample", "project", "restore", "fit", "assemble"]


@pytest.mark.parametrize(
    ("factors", "choice", "stages"),
    [
        ((4, 4, 4), {}, STAGES),
        ((4, 4, 4), {"residual": "grid", "base": "cubic", "adapt": 3}, STAGES),
        ((4, 1, 1), {"adapt": 3}, ["adapt", *STAGES]),
        (
            (4, 4, 4),
            {"view_restoration": "cubic", "base": "none", "start": "edges"},
            [s for s in STAGES if s != "restore"],
        ),
    ],
    ids=["as it is", "grid", "adapted", "cubic views"],
)
def test_stages_are_announced_in_order_with_all_their_steps(truth, factors, choice, stages):
    class Record(Progress):
        def __init__(self):
            self.planned, self.seen, self.left = [], [], 0

        def plan(self, weights):
            self.planned = list(weights)
            assert all(w > 0 for w in weights.values())

        def stage(self, name, steps=1):
            assert self.left in (0, 1)  # a stage of one step may end without a word
            self.seen.append(name)
            self.left = steps

        def advance(self, steps=1):
            self.left -= steps
            assert self.left >= 0

    record = Record()
    scale = ",".join(map(str, factors))
    super_resolve(degrade(truth, factors, kernel="lanczos", blur=1.0), method(scale, **choice), progress=record)
    assert record.seen == record.planned == stages
    assert record.left == 0


def test_costs_grow_with_the_work():
    small, large = (
        estimate_memory(method("4").parameters, (20, 30, 30), (factor,) * 3, (1, 1, 1)) for factor in (2, 4)
    )
    assert BASE_BYTES < small < large
    place = (20, 30, 30), (4, 4, 4), (1, 1, 1)
    seconds = [sum(stage_seconds(method("4", views=n).parameters, *place).values()) for n in (8, 80)]
    assert seconds[0] < seconds[1]
    grid, gaussians = (
        estimate_memory(Method(settings={"residual": residual, "max_gaussians": 60_000}).parameters, *place)
        for residual in ("grid", "gaussians")
    )
    assert grid < gaussians
    fits = [
        stage_seconds(method("4", iterations=300, residual=r).parameters, *place)["fit"] for r in ("gaussians", "grid")
    ]
    assert fits[0] > fits[1] > 0


def test_costs_know_of_slices_and_samples():
    place = (20, 30, 30), (4, 4, 4), (1, 1, 1)

    def restoring(**settings):
        return stage_seconds(method("4", start_step=10, **settings).parameters, *place)["restore"]

    views, both = restoring(slice_gain=0), restoring(slice_gain=1)
    assert 0 < views < both == restoring(slice_gain=2)
    assert restoring(samples=4) > 4 * both
    one_axis, three_axes = (restoring(slice_gain=1, slice_axes=n) for n in (1, 3))
    assert views < one_axis < three_axes
    assert 2 * both < restoring(slice_gain=1, slice_orientations=8) < 8 * both
    one, several = (estimate_memory(method("4", start_step=10, samples=n).parameters, *place) for n in (1, 4))
    assert several > one


def test_costs_know_the_detector_of_a_stack_with_a_thick_axis_in_plane():
    """Columns have the smaller in-plane spacing: a sagittal stack's detector is many times wider than its array."""
    fine, thick = (
        estimate_memory(method("2", views=90).parameters, (40, 96, 96), (2, 2, 2), (0.3, 0.3, s)) for s in (0.3, 6.0)
    )
    assert thick > fine + 5e7
