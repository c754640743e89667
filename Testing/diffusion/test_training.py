"""Training for real, on small pictures: it learns, goes on where it stopped, and draws its folders equally."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from CTSuperResolutionLib.diffusion import training
from CTSuperResolutionLib.diffusion.prior import Prior, new_network
from CTSuperResolutionLib.diffusion.radiographs import RadiographCrops
from CTSuperResolutionLib.diffusion.training import TrainingPlan, train_prior
from CTSuperResolutionLib.job.errors import JobError

PLAN = TrainingPlan(steps=100, batch=4, crop=32, learning_rate=2e-3, ema_decay=0.9, validation_fraction=0.25)


@pytest.fixture
def folders(tmp_path):
    """Two folders of smooth pictures, one dark with 40 of them, one bright with 8."""
    rng = np.random.default_rng(0)
    for name, count, level in (("dark", 40, 40), ("bright", 8, 200)):
        (tmp_path / name).mkdir()
        for k in range(count):
            coarse = rng.normal(level, 10, (4, 5)).clip(0, 255).astype(np.uint8)
            Image.fromarray(coarse).resize((60, 48), Image.Resampling.BICUBIC).save(tmp_path / name / f"{k:02d}.png")
    return [tmp_path / "dark", tmp_path / "bright"]


@pytest.fixture(autouse=True)
def small_network(monkeypatch):
    monkeypatch.setattr(training, "new_network", lambda: new_network((8, 16)))


def test_folders_are_drawn_equally_and_crops_are_in_range(folders):
    crops = RadiographCrops(folders, crop=32).batch(300, torch.Generator().manual_seed(0))
    assert crops.shape == (300, 1, 32, 32)
    assert crops.min() >= -1 and crops.max() <= 1
    contrast = crops.flatten(1).mean(1)
    bright = (contrast > 0.0).float().mean().item()
    assert 0.2 < bright < 0.65  # gain and offset mix the two a little; drawn by file, it would be one in six


def test_held_out_pictures_are_not_trained_on(folders):
    kept = RadiographCrops(folders, crop=32, validation_fraction=0.25)
    held_out = RadiographCrops(folders, crop=32, validation_fraction=0.25, validation=True)
    assert (len(kept), len(held_out)) == (36, 12)
    images = [{tuple(i.flatten().tolist()) for group in c._images for i in group} for c in (kept, held_out)]
    assert not images[0] & images[1]


@pytest.mark.slow
def test_it_learns_and_goes_on_where_it_stopped(folders, tmp_path):
    losses = []
    train_prior(folders, tmp_path / "out", PLAN, on_step=lambda step, steps, loss: losses.append(loss))
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:3])
    assert {p.name for p in (tmp_path / "out").iterdir()} >= {"samples.png", "training.json", "log.jsonl"}
    card = json.loads((tmp_path / "out" / "training.json").read_text())
    assert card["steps_done"] == 100 and card["training_images"] == 36
    assert card["validation_loss"]["400"] < 1.0  # predicting no noise at all scores 1
    assert Prior.load(tmp_path / "out").predict_noise(torch.zeros(1, 1, 32, 32), 5).isfinite().all()

    seen = []
    longer = TrainingPlan(**{**vars(PLAN), "steps": 104})
    train_prior(folders, tmp_path / "out", longer, on_step=lambda step, steps, loss: seen.append((step, loss)))
    assert [step for step, _ in seen] == [101, 102, 103, 104]
    assert np.mean([loss for _, loss in seen]) < 0.8 * np.mean(losses[:3])


def test_stopped_training_can_go_on(folders, tmp_path):
    class Stop(Exception):
        pass

    def stop(step: int, steps: int, loss: float) -> None:
        if step == 3:
            raise Stop

    with pytest.raises(Stop):
        train_prior(folders, tmp_path / "out", PLAN, on_step=stop)
    steps = []
    shorter = TrainingPlan(**{**vars(PLAN), "steps": 5})
    train_prior(folders, tmp_path / "out", shorter, on_step=lambda step, *_: steps.append(step))
    assert steps == [4, 5]


def test_a_damaged_checkpoint_is_said(folders, tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(JobError, match="delete it"):
        train_prior(folders, tmp_path, PLAN)


def test_a_folder_without_pictures_is_said(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing to see")
    with pytest.raises(JobError, match="No image of at least 32 x 32"):
        train_prior([tmp_path], tmp_path / "out", PLAN)
