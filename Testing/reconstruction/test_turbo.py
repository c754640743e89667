"""Slice fixers on a text-to-image model, on a tiny random one of Stable Diffusion's shape."""

from __future__ import annotations

import copy
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from transformers import CLIPTextModel

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tiny_base import prompt_tokens, save_tiny_base

from CTSuperResolutionLib.diffusion.slice_fixer.slice_fixer import SliceFixer, apply, save_slice_fixer
from CTSuperResolutionLib.diffusion.slice_fixer.turbo_base import OneStep, TurboBase
from CTSuperResolutionLib.diffusion.slice_fixer.turbo_folder import begin_turbo
from CTSuperResolutionLib.diffusion.slice_fixer.turbo_network import TurboConfig, TurboNetwork
from CTSuperResolutionLib.errors import Cancelled, JobError
from CTSuperResolutionLib.reconstruction.slice_fixer_training import SliceFixerPlan, SliceFixerTraining
from CTSuperResolutionLib.reconstruction.training_slices import TrainingSlices

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return save_tiny_base(tmp_path_factory.mktemp("turbo") / "base")


def _slices() -> list[TrainingSlices]:
    """Discs, and the same with streaks across them; projections of nothing."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1:1:16j, -1:1:16j]
    discs = [((x - u) ** 2 + (y - v) ** 2 < 0.3).astype(np.float32) for u, v in rng.uniform(-0.3, 0.3, (4, 2))]
    truth = torch.from_numpy(np.stack(discs))
    volumes = torch.stack([truth + 0.4 * torch.from_numpy(np.sin(12 * x + 5 * y)).float(), truth])
    return [TrainingSlices(volumes, torch.zeros_like(volumes), torch.rand(4, 2, 16, 64))]


def _nothing(step, steps, loss):
    pass


@pytest.fixture(scope="module")
def trained(base, tmp_path_factory) -> tuple[Path, list[float]]:
    """A folder that a short training wrote, and the losses of its steps."""
    out, losses = tmp_path_factory.mktemp("trained"), []
    plan = SliceFixerPlan(steps=40, batch=4, learning_rate=3e-3, base=str(base), word="pelvis")
    training = SliceFixerTraining(out, plan, ["a"], CPU)
    training.run(_slices(), lambda step, steps, loss: losses.append(loss))
    return out, losses


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_before_any_training_it_gives_what_the_base_makes_of_a_slice_in_one_step(prediction, tmp_path):
    """By calls of diffusers and transformers alone; and whatever the projections show."""
    base = save_tiny_base(tmp_path / "base", prediction=prediction)
    (tmp_path / "out").mkdir()
    network = begin_turbo(base, "head", tmp_path / "out")
    slices = torch.rand(2, 6, 20, 24)
    with torch.no_grad():
        found, told_else = (network(slices, torch.rand(2, 2, 16, 64)) for _ in range(2))
        vae, unet = AutoencoderKL.from_pretrained(base / "vae"), UNet2DConditionModel.from_pretrained(base / "unet")
        text = CLIPTextModel.from_pretrained(base / "text_encoder")(torch.tensor([prompt_tokens("head")]))[0]
        grey = torch.cat(3 * [2 * F.interpolate(slices[:, 1:2], (40, 48), mode="bilinear") - 1], 1)
        latent = vae.encode(grey).latent_dist.mean * vae.config.scaling_factor
        predicted = unet(latent, torch.tensor(999), text.expand(2, -1, -1)).sample
        clean = DDPMScheduler.from_pretrained(base / "scheduler").step(predicted, 999, latent).pred_original_sample
        image = vae.decode(clean / vae.config.scaling_factor).sample / 2 + 0.5
    expected = image.mean(1, keepdim=True).unflatten(2, (20, 2)).unflatten(4, (24, 2)).mean((3, 5))
    assert torch.allclose(found, expected, atol=1e-5) and expected.std() > 0.01
    assert torch.equal(found, told_else)


def test_training_lowers_the_loss_by_what_is_trained_alone(base, trained, tmp_path):
    out, losses = trained
    assert np.mean(losses[-8:]) < 0.7 * np.mean(losses[:8])
    state, start = SliceFixer.load(out).network, begin_turbo(base, "chest", tmp_path)
    for part in ("unet", "vae"):
        of_base = safetensors.torch.load_file(base / part / "diffusion_pytorch_model.safetensors")
        now = {name.replace(".base_layer", ""): values for name, values in getattr(state, part).state_dict().items()}
        assert all(torch.equal(now[name], values) for name, values in of_base.items())
    before, after = start.state_dict(), state.state_dict()
    assert [name for name, values in before.items() if torch.equal(values, after[name])] == ["prompts"]


def _plan(base: Path, **more: object) -> SliceFixerPlan:
    return SliceFixerPlan(**{"steps": 4, "batch": 2, "base": str(base), **more})


def test_a_fixer_reads_back_as_it_was_and_takes_slices_of_any_size(base, tmp_path):
    network = begin_turbo(base, "chest", tmp_path)
    for values in network.parameters():
        if values.requires_grad:
            torch.nn.init.normal_(values, std=0.1)
    save_slice_fixer(network, tmp_path, {"ct": ["a"]})
    found = SliceFixer.load(tmp_path)
    slices, views = torch.rand(3, 6, 17, 34), torch.rand(3, 2, 16, 64)
    network.requires_grad_(False)  # torch computes otherwise where gradients might be asked for
    with torch.no_grad():
        assert torch.equal(apply(found.network, slices, views), apply(network, slices, views))
    volume = 2.5 * torch.rand(3, 17, 34)
    repaired = found.repair(volume, 0 * volume, views)
    assert not torch.allclose(repaired, volume, atol=0.1) and torch.equal(repaired[volume > 2], volume[volume > 2])
    assert found.trained_on == ("a",) and found.provenance["body_part"] == "chest"


def test_what_is_saved_is_what_was_trained_and_nothing_of_the_base(base, trained):
    out, _ = trained
    assert {path.name for path in out.iterdir() if path.is_file()} == {
        "checkpoint.pt", "config.json", "diffusion_pytorch_model.safetensors", "log.jsonl", "training.json",
    }  # fmt: skip
    weights = safetensors.torch.load_file(out / "diffusion_pytorch_model.safetensors")
    state = torch.load(out / "checkpoint.pt", weights_only=True)
    own = ("lora_A", "lora_B", "skips.", "views.", "prompts")
    assert all(any(part in name for part in own) for name in (*weights, *state["network"]))
    trained = sum(values.numel() for name, values in weights.items() if name != "prompts")
    assert trained == json.loads((out / "training.json").read_text())["parameters"]
    moments = [entry["exp_avg"].numel() for entry in state["optimizer"]["state"].values()]
    assert sum(moments) == trained == sum(values.numel() for values in state["ema"]["shadow_params"])


def test_weights_that_lack_a_part_are_damaged(trained, tmp_path):
    folder = shutil.copytree(trained[0], tmp_path / "fixer")
    file = folder / "diffusion_pytorch_model.safetensors"
    weights = safetensors.torch.load_file(file)
    del weights["skips.0.weight"]
    safetensors.torch.save_file(weights, file)
    with pytest.raises(JobError, match="damaged"):
        SliceFixer.load(folder)


def test_prompt_and_projections_are_looked_at_once_it_is_trained(trained):
    out, _ = trained
    pelvis, same, head = (SliceFixer.load(out, word=word) for word in (None, "pelvis", "head"))
    volume, views = torch.rand(2, 16, 16), torch.rand(2, 2, 16, 64)
    repaired = pelvis.repair(volume, 0 * volume, views)
    assert torch.equal(same.repair(volume, 0 * volume, views), repaired)  # the one that it was trained with
    for other in (head.repair(volume, 0 * volume, views), pelvis.repair(volume, 0 * volume, 0 * views)):
        assert not torch.allclose(other, repaired, atol=1e-4)


def test_a_stopped_training_goes_on_bit_by_bit(base, tmp_path):
    """From its files as from what it had in memory when it was stopped."""

    def stop(step, steps, loss):
        if step == 2:
            raise Cancelled("enough")

    slices, plan = _slices(), _plan(base)
    whole = SliceFixerTraining(tmp_path, plan, ["a"], CPU)
    with pytest.raises(Cancelled):
        whole.run(slices, stop)
    kept = copy.deepcopy(whole._network.state_dict()), copy.deepcopy(whole._ema.state_dict())
    resumed = SliceFixerTraining(tmp_path, plan, ["a"], CPU)
    assert resumed.first == 2
    for name, values in kept[0].items():
        assert torch.equal(values, resumed._network.state_dict()[name])
    assert all(map(torch.equal, kept[1]["shadow_params"], resumed._ema.shadow_params))
    whole.first = 2
    losses = [[], []]
    for training, told in zip((whole, resumed), losses, strict=True):
        training.run(slices, lambda step, steps, loss, told=told: told.append(loss))
    assert losses[0] == losses[1] and len(losses[0]) == 2
    for one, other in zip(whole._trained, resumed._trained, strict=True):
        assert torch.equal(one, other)


def test_another_word_may_be_told_in_a_later_call(base, tmp_path):
    for steps, word in ((1, "head"), (2, "chest")):
        training = SliceFixerTraining(tmp_path, _plan(base, steps=steps, word=word), [word], CPU)
        training.run(_slices(), _nothing)
    fixer = SliceFixer.load(tmp_path)
    assert fixer.provenance["body_part"] == "chest" and fixer.trained_on == ("chest", "head")


def test_half_precision_weights_of_a_base_do(base, tmp_path):
    """As a folder has them that was saved as variant fp16."""
    halved = shutil.copytree(base, tmp_path / "base")
    for part in ("unet", "vae", "text_encoder"):
        (file,) = (halved / part).glob("*.safetensors")
        half = {name: values.half() for name, values in safetensors.torch.load_file(file).items()}
        safetensors.torch.save_file(half, file.with_suffix(".fp16.safetensors"), metadata={"format": "pt"})
        file.unlink()
    slices, views = torch.rand(1, 6, 16, 16), torch.rand(1, 2, 16, 64)
    found = []
    for folder in (base, halved):
        (tmp_path / folder.parent.name).mkdir()
        with torch.no_grad():
            found.append(begin_turbo(folder, "chest", tmp_path / folder.parent.name)(slices, views))
    assert found[1].dtype == torch.float32 and torch.allclose(*found, atol=0.05)
    assert not torch.equal(*found)


def test_an_autoencoder_with_the_names_of_old_is_read_whole(base, tmp_path):
    """As the files of Stable Diffusion have them: of attention, query, key, value and proj_attn."""
    old = shutil.copytree(base, tmp_path / "base")
    file, names = old / "vae/diffusion_pytorch_model.safetensors", {}
    for name in safetensors.torch.load_file(file):
        names[name] = name
        for new, said in (("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")):
            names[name] = names[name].replace(f".{new}.", f".{said}.")
    assert sum(name != said for name, said in names.items()) == 16
    state = {names[name]: values for name, values in safetensors.torch.load_file(file).items()}
    safetensors.torch.save_file(state, file, metadata={"format": "pt"})
    expected, found = (TurboBase.load(folder).vae.state_dict() for folder in (base, old))
    assert all(torch.equal(values, found[name]) for name, values in expected.items())


def test_the_shape_of_sd_turbo_goes_through_without_its_weights():
    """UNet and autoencoder as Stable Diffusion 2's configurations have them, on a device that holds no numbers."""
    with torch.device("meta"):
        unet = UNet2DConditionModel(
            sample_size=64, cross_attention_dim=1024, attention_head_dim=(5, 10, 20, 20), use_linear_projection=True
        )
        vae = AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(128, 256, 512, 512),
            layers_per_block=2,
        )
        config = TurboConfig("", {}, OneStep(999, 0.005, "epsilon"), ("chest",), "chest")
        network = TurboNetwork(TurboBase(Path(), unet, vae, {}), config, torch.empty(1, 77, 1024))
        found = apply(network, torch.empty(2, 6, 50, 70), torch.empty(2, 2, 16, 64))
    assert found.shape == (2, 1, 50, 70) and network.multiple == 32
    trained = sum(values.numel() for name, values in network.state_dict().items() if name != "prompts")
    whole = sum(values.numel() for values in network.parameters())
    assert 9e6 < trained < 11e6 and 940e6 < whole < 970e6


def test_the_small_form_is_trained_as_ever(tmp_path):
    """A checkpoint of all its weights, and a configuration of its own."""
    plan = replace(_plan(tmp_path), base=None, channels=8)
    SliceFixerTraining(tmp_path, plan, ["a"], CPU).run(_slices(), _nothing)
    assert json.loads((tmp_path / "config.json").read_text())["_class_name"] == "SliceFixerNetwork"
    network = SliceFixer.load(tmp_path).network
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert state["network"].keys() == network.state_dict().keys()
