"""Slice repair and the fit that it guides."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from CTSuperResolutionLib.diffusion.slice_fixer.network import SliceFixerNetwork
from CTSuperResolutionLib.diffusion.slice_fixer.slice_fixer import SliceFixer, save_slice_fixer, with_neighbours
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.reconstruction.attenuation import relative_to_water
from CTSuperResolutionLib.reconstruction.biplanar import biplanar_views
from CTSuperResolutionLib.reconstruction.diffnr import fit_with_repair, repair_steps
from CTSuperResolutionLib.reconstruction.gaussian_backbone import GaussianBackbone
from CTSuperResolutionLib.reconstruction.settings import Settings
from CTSuperResolutionLib.reconstruction.simulation import SimulatedScan, simulate
from CTSuperResolutionLib.reconstruction.slice_fixer_training import SliceFixerPlan, SliceFixerTraining
from CTSuperResolutionLib.reconstruction.training_slices import TrainingSlices


@pytest.fixture(scope="module")
def few_views(head):
    return simulate(head, SimulatedScan(views=6, beam="parallel", photons=0))


def _fitted(scan, truth, **settings):
    p = Settings.of({"gaussians": 1200, "guide_slices": 24, "repair_at": 0.4, "lambda_repair": 10, **settings})
    backbone = GaussianBackbone(scan.water_mm(), scan.projector, p, iterations=50, seed=0)
    volume = fit_with_repair(backbone, lambda volume: truth, p, steps=50, seed=0, progress=Progress())
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
    [({}, [60]), ({"repair_at": 1.0}, [99]), ({"repair_at": 0.5, "repairs": 3}, [50, 66, 83]), ({"repairs": 0}, [])],
)
def test_slices_are_repaired_when_they_are_asked_to_be(settings, expected):
    assert repair_steps(Settings.of(settings), 100) == expected


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
    torch.nn.init.normal_(network.conv_out.weight, std=0.05)
    for layer in network.modules():
        if isinstance(layer, torch.nn.Linear):  # of what the views say, faint when training starts
            torch.nn.init.normal_(layer.weight, std=0.2)
    save_slice_fixer(network, tmp_path / "fixer", {"ct": ["a"]})
    found = SliceFixer.load(tmp_path / "fixer")
    volume, views = 2.5 * torch.rand(3, 21, 34), torch.rand(3, 2, 16, 64)
    repaired = found.repair(volume, views)
    expected = SliceFixer(network.eval(), "").repair(volume, views)
    assert torch.allclose(repaired, expected, atol=2e-2) and found.trained_on == ("a",)
    assert not torch.allclose(repaired, volume, atol=0.1)
    assert torch.equal(repaired[volume > 2], volume[volume > 2])  # denser than it knows
    assert not torch.allclose(found.repair(volume, 0 * views), repaired, atol=1e-3)  # it looks at the views


def test_an_untrained_fixer_leaves_slices_as_they_are():
    volume = 2 * torch.rand(4, 16, 24)
    for options in ({}, {"up_down": False, "biplanar": False}):
        fixer = SliceFixer(SliceFixerNetwork(channels=8, **options), "")
        assert torch.allclose(fixer.repair(volume, torch.rand(4, 2, 16, 64)), volume, atol=1e-6)


def test_a_folder_that_is_no_fixer_is_said(tmp_path):
    with pytest.raises(JobError, match=r"has no config\.json"):
        SliceFixer.load(tmp_path)
    save_slice_fixer(SliceFixerNetwork(channels=8), tmp_path, {})
    weights = tmp_path / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(JobError, match="damaged"):
        SliceFixer.load(tmp_path)


def test_training_learns_goes_on_and_remembers_what_it_saw(tmp_path):
    """Slices with stripes that are the same everywhere: they are learned to be taken off."""
    truth = torch.rand(6, 4, 4, generator=torch.Generator().manual_seed(0)).repeat_interleave(8, 1)
    truth = truth.repeat_interleave(8, 2)
    striped = truth + 0.15 * torch.sin(1.3 * torch.arange(32))
    slices = [TrainingSlices(with_neighbours(striped), torch.zeros(6, 2, 16, 64), truth[:, None])]
    plan = SliceFixerPlan(steps=40, channels=8, learning_rate=3e-3)
    first = SliceFixerTraining(tmp_path, plan, ["a"], torch.device("cpu"))
    first.run(slices, lambda step, steps, loss: None)
    again = SliceFixerTraining(tmp_path, SliceFixerPlan(steps=80, channels=8), ["b"], torch.device("cpu"))
    told = []
    gain = again.run(slices, lambda step, steps, loss: told.append(step))
    assert told == list(range(41, 81)) and gain > 3
    card = json.loads((tmp_path / "training.json").read_text())
    assert card["ct"] == ["a", "b"] and card["steps_done"] == 80
    repaired = SliceFixer.load(tmp_path).repair(2 * striped, torch.zeros(6, 2, 16, 64)) / 2
    before, after = (float((volume - truth).square().mean()) for volume in (striped.clamp(0, 1), repaired))
    assert after < 0.5 * before
