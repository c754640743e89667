"""A prior that learns from a scan: the lessons, and what becomes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from CTSuperResolutionLib.degradation.acquisition import acquisition_of
from CTSuperResolutionLib.diffusion.adaptation import BETTER, CROP, MARGIN, _relative_error
from CTSuperResolutionLib.diffusion.networks.image_acquisition import ImageAcquisition
from CTSuperResolutionLib.diffusion.prior import Prior
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.method import Method
from CTSuperResolutionLib.job.priors import find_prior
from CTSuperResolutionLib.stages.adapt_prior import adapt_prior, prior_for
from CTSuperResolutionLib.stages.scan_findings import ScanFindings
from CTSuperResolutionLib.stages.upsample_scan import UpsampledScan, upsample_scan
from CTSuperResolutionLib.volume.volume import Volume

SPACING = (4.0, 0.7, 0.7)


class Counter(Progress):
    done = 0

    def advance(self, steps: int = 1) -> None:
        self.done += steps


def scan_of(shape, spacing=SPACING) -> Volume:
    """Sharp balls of bone in water."""
    rng = np.random.default_rng(0)
    at = np.stack(np.meshgrid(*[(np.arange(n)) * d for n, d in zip(shape, spacing, strict=True)], indexing="ij"))
    hu = np.zeros(shape, np.float32)
    for _ in range(60):
        centre = rng.uniform(0, np.multiply(shape, spacing))
        hu[((at - centre[:, None, None, None]) ** 2).sum(0) < rng.uniform(2, 6) ** 2] = rng.uniform(200, 1200)
    return Volume(hu, spacing, (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))


def upsampled_by(scale: str, scan: Volume, **settings) -> tuple[UpsampledScan, Method]:
    method = Method(scale=scale, settings={"psf": "triangle", "slice_width": 4.0, **settings})
    target = method.target_grid(scan.shape, scan.spacing)
    acquisition = acquisition_of(scan, method.parameters, target.factors)
    findings = ScanFindings.of(scan, target, method.parameters, acquisition)
    return upsample_scan(scan, target, method.parameters, "cpu", findings), method


@pytest.fixture(scope="module")
def prior() -> Prior:
    return Prior.load(Path(find_prior("shipped")))


@pytest.fixture(scope="module")
def thick() -> tuple[UpsampledScan, torch.Tensor, Method]:
    upsampled, method = upsampled_by("4,1,1", scan_of((20, 96, 100)), adapt=6)
    return upsampled, upsampled.consistent(), method


@pytest.fixture
def small_patches(monkeypatch) -> None:
    """A quarter of the work."""
    monkeypatch.setattr("CTSuperResolutionLib.diffusion.adaptation.CROP", 32)
    monkeypatch.setattr("CTSuperResolutionLib.diffusion.adaptation.MARGIN", 4)


def adapted(prior, thick, *, seed=0, progress=None) -> Prior:
    upsampled, volume, method = thick
    return adapt_prior(prior, volume, upsampled, method.parameters, seed, progress or Progress())


def predicted(prior: Prior, acquisition: ImageAcquisition) -> torch.Tensor:
    images = torch.sin(torch.arange(32 * 32).reshape(1, 1, 32, 32) / 7.0) / 4
    return prior.at(acquisition).predict_noise(images, 0)


@pytest.mark.usefixtures("small_patches")
def test_only_what_was_learned_changes_and_a_seed_gives_the_same_again(prior, thick, monkeypatch):
    monkeypatch.setattr("CTSuperResolutionLib.diffusion.adaptation.BETTER", 10.0)
    before = {name: values.clone() for name, values in prior.denoiser.state_dict().items()}
    first, again, other = (adapted(prior, thick, seed=seed) for seed in (0, 0, 1))
    thick_rows = ImageAcquisition.of_slices(thick[0].degradation, 1, thick[0].unit_noise)
    in_plane = ImageAcquisition.of_slices(thick[0].degradation, 0, thick[0].unit_noise)
    assert thick_rows[:3] == (4, 1, 1) and in_plane[:3] == (1, 1, 4)
    for acquisition in (thick_rows, thick_rows.turned()):
        assert not torch.equal(predicted(first, acquisition), predicted(prior, acquisition))
        assert torch.equal(predicted(first, acquisition), predicted(again, acquisition))
        assert not torch.equal(predicted(first, acquisition), predicted(other, acquisition))
    assert torch.equal(predicted(first, in_plane), predicted(prior, in_plane))
    assert all(torch.equal(values, before[name]) for name, values in prior.denoiser.state_dict().items())
    assert first.adaptation["kept"] and first.adaptation["steps"] == 6 and first.sha256 == prior.sha256


@pytest.mark.usefixtures("small_patches")
def test_what_is_no_better_on_held_out_slices_is_dropped(prior, thick, monkeypatch):
    monkeypatch.setattr("CTSuperResolutionLib.diffusion.adaptation.LEARNING_RATE", 0.3)  # runs away
    counter = Counter()
    found = adapted(prior, thick, progress=counter)
    assert found.denoiser is prior.denoiser and not found.adaptation["kept"]
    assert found.adaptation["error_after"] > found.adaptation["error_before"]
    assert counter.done == 32 + 8 + 6


@pytest.mark.usefixtures("small_patches")
@pytest.mark.parametrize(("hopeful", "steps"), [(0.0, 2), (10.0, 6)])
def test_it_gives_up_early_where_the_first_steps_gain_little(prior, thick, monkeypatch, hopeful, steps):
    monkeypatch.setattr("CTSuperResolutionLib.diffusion.adaptation.TRIAL", 2)
    monkeypatch.setattr("CTSuperResolutionLib.diffusion.adaptation.HOPEFUL", hopeful)
    monkeypatch.setattr("CTSuperResolutionLib.diffusion.adaptation.BETTER", 0.0)
    counter = Counter()
    found = adapted(prior, thick, progress=counter)
    assert found.denoiser is prior.denoiser
    assert (found.adaptation["kept"], found.adaptation["steps"], counter.done) == (False, steps, 32 + 8 + 6)


@pytest.mark.usefixtures("small_patches")
def test_a_network_that_knows_nothing_learns_from_the_scan(prior, thick, monkeypatch):
    """One that finds no noise anywhere leaves images as they are: an error of 1. What it learns is worth something."""
    monkeypatch.setattr("CTSuperResolutionLib.diffusion.adaptation.LEARNING_RATE", 3e-3)
    monkeypatch.setattr("CTSuperResolutionLib.diffusion.adaptation.HOPEFUL", 1.0)  # it begins slowly
    torch.manual_seed(0)
    ignorant = type(prior.denoiser)(**prior.denoiser.config)  # its last layer is zero
    upsampled, volume, _ = thick
    p = Method(scale="4,1,1", settings={"adapt": 120}).parameters
    network = Prior(ignorant.eval().requires_grad_(False), prior.schedule, "none")
    found = adapt_prior(network, volume, upsampled, p, 0, Progress())
    assert found.adaptation["error_before"] == pytest.approx(1, abs=1e-3)
    assert found.adaptation["kept"] and found.adaptation["error_after"] < BETTER


def test_what_lies_near_the_border_of_a_patch_is_not_judged(prior):
    """There the network sees the zeros beyond an image, which no slice has in its middle."""
    truths = torch.rand(2, 1, CROP, CROP, generator=torch.Generator().manual_seed(0))
    images, inner = truths + 0.1, (..., slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN))
    wrong = truths + 5
    wrong[inner] = truths[inner]
    acquisition = ImageAcquisition(4, 1)
    as_it_is, beyond = (
        _relative_error(prior.denoiser, prior.schedule, (images, each), acquisition) for each in (truths, wrong)
    )
    assert torch.equal(as_it_is, beyond)
    wrong[inner] += 0.01
    assert not torch.equal(as_it_is, _relative_error(prior.denoiser, prior.schedule, (images, wrong), acquisition))


@pytest.mark.parametrize(("scale", "shape"), [("2", (24, 60, 60)), ("4,1,1", (20, 30, 30)), ("4,1,1", (2, 80, 80))])
def test_without_finer_slices_or_room_in_them_there_is_nothing_to_learn(prior, scale, shape):
    upsampled, method = upsampled_by(scale, scan_of(shape), adapt=5)
    counter = Counter()
    found = adapt_prior(prior, upsampled.consistent(), upsampled, method.parameters, 0, counter)
    assert found.denoiser is prior.denoiser and found.adaptation == {"kept": False}
    assert counter.done == 32 + 8 + 5


def test_the_prior_of_a_scan_learns_from_its_middle(monkeypatch):
    """At most 256 voxels wide, and of so many slices as that leaves; other scans have the prior as it is."""
    scan, seen = scan_of((20, 80, 84)), []
    monkeypatch.setattr("CTSuperResolutionLib.stages.adapt_prior.WIDEST", 60)
    monkeypatch.setattr("CTSuperResolutionLib.stages.adapt_prior.MIDDLE", 60 * 60 * 4 * 11)

    def look(prior, volume, upsampled, p, seed, progress):
        seen.append((tuple(volume.shape), upsampled.scan.origin, p.adapt, seed))
        return prior

    monkeypatch.setattr("CTSuperResolutionLib.stages.adapt_prior.adapt_prior", look)
    for scale, shape in (("4,1,1", (44, 60, 60)), ("2", None), ("4,2,1", None)):
        method = Method(scale=scale, seed=3, settings={"adapt": 7, "psf": "triangle", "slice_width": 4.0})
        target, progress = method.target_grid(scan.shape, scan.spacing), Counter()
        assert prior_for(scan, target, method, torch.device("cpu"), None, progress) is not None
        if shape:
            origin = (12 * 0.7, 10 * 0.7, 4 * 4.0)  # (x, y, z)
            ((found, at, steps, seed),) = seen
            assert found == shape and at == pytest.approx(origin) and (steps, seed) == (7, 3)
    assert len(seen) == 1
    without = Method(scale="4,1,1", settings={"null_space": 0})
    assert prior_for(scan, target, without, torch.device("cpu"), None, Progress()) is None


@pytest.mark.parametrize("scale", ["4,1,1", "1,1,4"])
def test_lessons_are_degraded_as_the_scan_is(prior, thick, scale, monkeypatch):
    """Degraded along their rows by a triangle of 4 mm, an image and its truth are one, but for what damping leaves."""
    seen = []

    def look(prior, lessons, held_out, **others):
        seen.extend([lessons, held_out])
        return prior, {}

    monkeypatch.setattr("CTSuperResolutionLib.stages.adapt_prior.adapt", look)
    spacing, shape = (SPACING, (20, 96, 100)) if scale == "4,1,1" else (SPACING[::-1], (100, 96, 20))
    upsampled, method = upsampled_by(scale, scan_of(shape, spacing), adapt=1)
    adapt_prior(prior, upsampled.consistent(), upsampled, method.parameters, 0, Progress())
    assert [len(lessons.pairs) for lessons in seen] == [32, 8]
    for lessons in seen:
        assert lessons.acquisition[:3] == (4, 1, 1)
        for image, truth in lessons.pairs:
            rows = np.arange(len(truth))  # 1 mm apart
            centres = 4 * np.arange(len(truth) // 4) + 1.5
            weights = np.clip(1 - np.abs(rows - centres[:, None]) / 4, 0, None)
            weights = weights[1:-1] / weights[1:-1].sum(1, keepdims=True)
            beyond, missing = weights @ (image - truth).numpy(), (image - truth).numpy()
            assert np.abs(beyond).mean() < 0.25 * np.abs(missing).mean() + 1e-5
