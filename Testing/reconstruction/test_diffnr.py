"""Slice repair and the fit that it guides."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from CTSuperResolutionLib.diffusion.slice_fixer.network import SliceFixerNetwork
from CTSuperResolutionLib.diffusion.slice_fixer.slice_fixer import SliceFixer, save_slice_fixer
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.reconstruction import diffnr, iterative
from CTSuperResolutionLib.reconstruction.attenuation import relative_to_water
from CTSuperResolutionLib.reconstruction.biplanar import biplanar_views
from CTSuperResolutionLib.reconstruction.cost import RepairWork, stage_seconds
from CTSuperResolutionLib.reconstruction.diffnr import fit_with_repair
from CTSuperResolutionLib.reconstruction.fdk import filtered_backprojection
from CTSuperResolutionLib.reconstruction.gaussian_backbone import GaussianBackbone
from CTSuperResolutionLib.reconstruction.iterative import OrderedSubsets, sart
from CTSuperResolutionLib.reconstruction.methods import ReconstructionMethod
from CTSuperResolutionLib.reconstruction.reconstruct import reconstruct
from CTSuperResolutionLib.reconstruction.settings import Settings, repair_steps
from CTSuperResolutionLib.reconstruction.simulated_scan import SimulatedScan
from CTSuperResolutionLib.reconstruction.simulation import simulate
from CTSuperResolutionLib.reconstruction.slice_fixer_training import SliceFixerPlan, SliceFixerTraining
from CTSuperResolutionLib.reconstruction.slice_repair import SliceRepair, left_over
from CTSuperResolutionLib.reconstruction.training_slices import TrainingSlices
from CTSuperResolutionLib.volume.volume import Volume


@pytest.fixture(scope="module")
def few_views(head):
    return simulate(head, SimulatedScan(views=6, beam="parallel", photons=0))


def _fitted(scan, truth, **settings):
    p = Settings.of({"gaussians": 1200, "guide_slices": 24, "repair_at": 0.4, "lambda_repair": 10, **settings})
    backbone = GaussianBackbone(scan.water_mm(), scan.projector, p, iterations=50, seed=0)
    repaired = iter([truth])  # once; what the fit comes to is left as it is
    volume = fit_with_repair(backbone, lambda volume: next(repaired, volume), p, steps=50, seed=0, progress=Progress())
    return volume, float((volume - truth).square().mean().sqrt())


def test_a_true_reference_pulls_the_fit_to_it_and_the_views_keep_a_say(few_views, head):
    truth = torch.from_numpy(relative_to_water(head.array))
    _, alone = _fitted(few_views, truth, repairs=0)
    guided, near = _fitted(few_views, truth)
    assert near < 0.75 * alone
    assert not torch.allclose(guided, truth, atol=0.05)  # it is a fit still
    _, by_l1 = _fitted(few_views, truth, guide="l1")
    assert by_l1 < alone
    after, _ = _fitted(few_views, truth, guide="none")
    assert torch.equal(after, truth)  # post-processing alone gives what the repair gives


@pytest.mark.parametrize(
    ("settings", "expected"),
    [({}, [40]), ({"repair_at": 1.0}, [99]), ({"repair_at": 0.5, "repairs": 3}, [50, 66, 83]), ({"repairs": 0}, [])],
)
def test_slices_are_repaired_when_they_are_asked_to_be(settings, expected):
    assert repair_steps(Settings.of(settings), 100) == expected


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"repairs": 2, "guide_every": 3, "repair_sweeps": 1},
        {"guide": "none", "repair_rounds": 1},
        {"guide": "none", "repaired": "no"},
        {"repairs": 0},
        {"repair_rounds": 0},
    ],
)
def test_the_work_that_is_planned_is_the_work_that_is_done(settings, few_views, monkeypatch):
    """Counted where it is done, by a fit of a few Gaussians."""
    done = Counter[str]()

    def counted(owner, name, kind):
        whole = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *args, **kw: (done.update([kind]), whole(*args, **kw))[1])

    counted(OrderedSubsets, "sweep", "sweeps")
    counted(iterative, "total_variation_gradient", "down")
    counted(SliceFixer, "repair", "repairs")
    counted(diffnr, "ssim_3d", "guided")
    small = {"gaussian_steps": 12, "gaussians": 100, "repair_sweeps": 2, **settings}
    method = ReconstructionMethod("diffnr", small, device="cpu")
    reconstruct(few_views, method)
    planned = RepairWork.of(method.parameters, 12)
    assert done["guided"] == planned.guided and done["repairs"] == planned.repairs
    assert done["sweeps"] == planned.sweeps + planned.smooth_sweeps
    assert done["down"] == iterative.TV_STEPS * planned.smooth_sweeps


def test_what_a_repair_adds_is_in_the_time_that_is_planned(few_views):
    """Of the stages the fit alone, and by as much as other sweeps of the same scan."""

    def seconds(name, **settings):
        return stage_seconds(ReconstructionMethod(name, settings), few_views.geometry, few_views.place.grid)

    alone, bare, swept = (
        seconds("gaussians"),
        seconds("diffnr", guide="none", repaired="no", repair_rounds=0),
        seconds("diffnr", guide="none", repaired="no", repair_rounds=1, repair_sweeps=30),
    )
    assert bare == alone
    rounds, sweeps = (seconds(name, pocs_rounds=30, sart_sweeps=30)["fit"] for name in ("asd-pocs", "sart"))
    assert swept["fit"] == pytest.approx(alone["fit"] + rounds + sweeps)
    assert seconds("diffnr", guide="none")["fit"] > seconds("diffnr", guide="none", repaired="no")["fit"]
    assert {**swept, "fit": 0} == {**alone, "fit": 0}


@pytest.mark.parametrize("beam", ["cone", "parallel"])
def test_a_slice_is_told_what_two_views_show_at_its_height(beam, head):
    """Of one bright voxel: in the slice's own rows, at x in the first view and at y in the second."""
    hu = np.full(head.shape, -1000, np.float32)
    hu[15, 29, 8] = 1000
    scan = simulate(type(head)(hu, head.spacing, head.origin, head.direction), SimulatedScan(4, beam, photons=0))
    shown = biplanar_views(scan.water_mm(), scan.geometry, scan.place.grid)
    assert shown.shape == (24, 2, 16, 64)
    for view, place in ((0, 8), (1, 29)):
        rows, columns = shown[15, view].sum(1), shown[15, view].sum(0)
        assert float((rows * torch.arange(16)).sum() / rows.sum()) == pytest.approx(7.5, abs=0.3)
        assert float((columns * torch.arange(64)).sum() / columns.sum()) == pytest.approx(
            (place + 0.5) * 1.6 - 0.5, abs=1
        )


def test_a_fixer_is_small_reads_back_and_takes_slices_of_any_size(tmp_path):
    torch.manual_seed(0)
    network = SliceFixerNetwork()
    assert sum(values.numel() for values in network.parameters()) < 10e6
    torch.nn.init.normal_(network.conv_out.weight, std=0.5)
    for layer in network.modules():
        if isinstance(layer, torch.nn.Linear):  # of what the views say, nothing when training starts
            torch.nn.init.normal_(layer.weight, std=0.2)
    save_slice_fixer(network, tmp_path / "fixer", {"ct": ["a"]})
    found = SliceFixer.load(tmp_path / "fixer")
    volume, views, missing = 2.5 * torch.rand(3, 21, 34), torch.rand(3, 2, 16, 64), 0.1 * torch.randn(3, 21, 34)
    repaired = found.repair(volume, missing, views)
    expected = SliceFixer(network.eval(), "").repair(volume, missing, views)
    assert torch.allclose(repaired, expected, atol=5e-2) and found.trained_on == ("a",)
    assert not torch.allclose(repaired, volume, atol=0.1)
    assert torch.equal(repaired[volume > 2], volume[volume > 2])  # denser than it knows
    assert not torch.allclose(found.repair(volume, missing, 0 * views), repaired, atol=1e-3)  # it looks at the views
    assert not torch.allclose(found.repair(volume, 0 * missing, views), repaired, atol=1e-3)  # and at what they miss


def test_an_untrained_fixer_leaves_slices_as_they_are():
    volume = 2 * torch.rand(4, 16, 24)
    for options in ({}, {"up_down": True, "biplanar": False}):
        fixer = SliceFixer(SliceFixerNetwork(channels=8, **options), "")
        assert torch.allclose(fixer.repair(volume, volume, torch.rand(4, 2, 16, 64)), volume, atol=1e-6)


def test_a_repair_that_does_harm_is_taken_back_as_far_as_the_views_say(few_views, head):
    """By a fixer that adds a bias: the views are explained no worse, and the volume is no farther from the truth."""
    network = SliceFixerNetwork(channels=8)
    torch.nn.init.constant_(network.conv_out.bias, 2.0)
    truth, water = torch.from_numpy(relative_to_water(head.array)), few_views.water_mm()
    volume = truth + 0.02 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))
    views = biplanar_views(water, few_views.geometry, few_views.place.grid)
    repair = SliceRepair(SliceFixer(network, ""), water, few_views.projector, views, rounds=1, sweeps=0)
    harmed = repair.fixer.repair(volume, 0 * volume, views)

    def unexplained(x):
        return float((water - few_views.projector.forward(x)).norm())

    assert unexplained(harmed) > 2 * unexplained(volume)
    assert unexplained(repair(volume)) <= 1.001 * unexplained(volume)
    assert (repair(volume) - truth).norm() <= 1.01 * (volume - truth).norm()


@dataclass
class _Told:
    """A fixer that gives what it is told to, repair by repair."""

    volumes: list[torch.Tensor]

    def repair(self, volume, missing, views, progress):
        return self.volumes.pop(0)


@pytest.mark.parametrize("first_is_good", [True, False])
def test_a_fixer_that_the_views_confirmed_once_is_trusted_from_then_on(first_is_good, few_views, head):
    """Its second repair explains the views worse either way, as any does of a volume that was brought back to them."""
    truth, water = torch.from_numpy(relative_to_water(head.array)), few_views.water_mm()
    worse = truth + 0.05 * torch.rand(truth.shape, generator=torch.Generator().manual_seed(0))
    far = (0.5 if first_is_good else 1.0) * truth
    repair = SliceRepair(
        _Told([truth if first_is_good else 0.5 * truth, worse]), water, few_views.projector, torch.empty(0), 2, 0
    )
    assert torch.equal(repair(far), worse) == first_is_good


def test_what_the_views_say_beyond_a_volume_is_the_part_that_it_lacks(scans, head):
    truth = torch.from_numpy(relative_to_water(head.array))
    lacking = truth.clone()
    lacking[8:16, 10:16, 20:28] -= 0.3
    found = left_over(lacking, scans["parallel"].water_mm(), scans["parallel"].projector)
    inside = found[9:15, 11:15, 21:27]
    assert float(inside.mean()) == pytest.approx(0.3, abs=0.05) and float(found.abs().mean()) < 0.03


def test_a_folder_that_is_no_fixer_is_said(tmp_path):
    with pytest.raises(JobError, match=r"has no config\.json"):
        SliceFixer.load(tmp_path)
    save_slice_fixer(SliceFixerNetwork(channels=8), tmp_path, {})
    weights = tmp_path / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(JobError, match="damaged"):
        SliceFixer.load(tmp_path)


def _scanned(seed: int) -> TrainingSlices:
    """Ellipses of random places and values, scanned with eight views; filtered, and by SART."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1:1:32j, -1:1:32j]
    planes = 0.9 * (x**2 + y**2 < 0.75)
    for _ in range(4):
        (a, b), (v, u), value = rng.uniform(0.1, 0.4, 2), rng.uniform(-0.5, 0.5, 2), rng.uniform(-0.5, 0.6)
        planes = planes + value * (((x - u) / a) ** 2 + ((y - v) / b) ** 2 < 1)
    hu = np.broadcast_to(1000 * (planes.clip(0, 2) - 1), (8, 32, 32)).astype(np.float32)
    direction = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    scan = simulate(Volume(hu, (4.0,) * 3, (0.0,) * 3, direction), SimulatedScan(8, "parallel", photons=0))
    water, projector = scan.water_mm(), scan.projector
    volumes = [
        filtered_backprojection(water, scan.geometry, scan.place.grid),
        sart(water, projector, sweeps=4, progress=Progress()),
        torch.from_numpy(relative_to_water(hu)),
    ]
    missing = torch.stack([left_over(volume, water, projector) for volume in volumes])
    return TrainingSlices(torch.stack(volumes), missing, biplanar_views(water, scan.geometry, scan.place.grid))


@pytest.mark.slow
def test_a_short_training_repairs_what_it_never_saw_and_goes_on(tmp_path):
    """At the rate that is the default, neither the bad filtered slices nor the good iterative ones get worse."""
    slices = [_scanned(seed) for seed in range(6)]
    plan = SliceFixerPlan(steps=100, channels=16)
    SliceFixerTraining(tmp_path, plan, ["a"], torch.device("cpu")).run(slices, lambda step, steps, loss: None)
    again = SliceFixerTraining(tmp_path, replace(plan, steps=200), ["b"], torch.device("cpu"))
    told = []
    again.run(slices, lambda step, steps, loss: told.append(step))
    assert told == list(range(101, 201))
    card = json.loads((tmp_path / "training.json").read_text())
    assert card["ct"] == ["a", "b"] and card["steps_done"] == 200
    fixer, new = SliceFixer.load(tmp_path), _scanned(99)
    truth = new.volumes[-1]
    for shown, missing in zip(new.volumes[:-1], new.missing[:-1], strict=True):
        repaired = fixer.repair(shown, missing, new.views)
        before, after = (float((volume.clamp(0, 2) - truth).square().mean()) for volume in (shown, repaired))
        assert after < 0.7 * before
