"""Checkpoints of guided-diffusion against outputs of its own code.

The fixture has, for two small random networks, the names and shapes of the weights and what guided-diffusion's
UNetModel (commit 22e0df8) answered: every fourth pixel, and the mean and root mean square of each image and channel.
"""

from __future__ import annotations

import stat

import pytest
import torch

from CTSuperResolutionLib.diffusion.networks.guided_diffusion import GuidedDiffusionUNet, configuration
from CTSuperResolutionLib.diffusion.prior import Prior
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.job.priors import find_prior

HALF_WIDTH, LEARNED_SIGMA = "half-width first level", "learned sigma"

pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture
def checkpoint(tmp_path, guided_diffusion):
    path = tmp_path / "ema_0.9999.pt"
    torch.save(guided_diffusion[HALF_WIDTH].state_dict(), path)
    return path


@pytest.mark.parametrize("name", [HALF_WIDTH, LEARNED_SIGMA])
def test_the_network_answers_as_the_original_does(name, guided_diffusion, tmp_path):
    case = guided_diffusion[name]
    torch.save(case.state_dict(), tmp_path / "some.pt")
    network = Prior.load(find_prior(str(tmp_path / "some.pt"))).denoiser.network
    with torch.no_grad():
        found = network(case.images(), torch.tensor([3, 750])).sample
    some = torch.tensor(case.answer["output"]).reshape(2, 3, 4, 4)
    torch.testing.assert_close(found[:, :, ::4, ::4], some, atol=1e-4, rtol=0)
    means, roots = found.double().mean((2, 3)), found.double().square().mean((2, 3)).sqrt()
    torch.testing.assert_close(
        means.flatten(), torch.tensor(case.answer["mean"], dtype=torch.float64), atol=1e-4, rtol=0
    )
    torch.testing.assert_close(
        roots.flatten(), torch.tensor(case.answer["rms"], dtype=torch.float64), atol=1e-4, rtol=0
    )


@pytest.mark.parametrize(
    ("side", "multiples", "parameters"),
    [(512, (0.5, 1, 1, 2, 2, 4, 4), 557_970_179), (256, (1, 1, 2, 2, 4, 4), 552_807_171)],
)
def test_the_full_networks_are_of_the_original_s_size(side, multiples, parameters):
    """Parameters as guided-diffusion's create_model counts them, for the settings of the paper."""
    config = {
        "image_channels": 3,
        "model_channels": 256,
        "level_channels": [int(256 * m) for m in multiples],
        "attention": [side // 2**level in (32, 16, 8) for level in range(len(multiples))],
        "blocks": 2,
    }
    with torch.device("meta"):
        network = GuidedDiffusionUNet(**config)
    assert sum(values.numel() for values in network.parameters()) == parameters


def test_grey_images_of_any_size(checkpoint):
    """The network sees the image thrice, and its three answers are averaged."""
    prior = Prior.load(checkpoint)
    assert prior.denoiser.multiple == 4
    images = torch.randn(2, 1, 17, 22, generator=torch.Generator().manual_seed(0))
    found = prior.predict_noise(images, 40)
    assert found.shape == images.shape
    padded = torch.nn.functional.pad(images, (0, 2, 0, 3), mode="replicate").repeat(1, 3, 1, 1)
    expected = prior.denoiser.network(padded, torch.tensor([40, 40])).sample[..., :17, :22]
    torch.testing.assert_close(found[:, 0], sum(expected.unbind(1)) / 3)


def test_converted_once_for_the_user_alone(checkpoint, cache, tmp_path):
    first = Prior.load(checkpoint)
    (folder,) = (cache / "checkpoints").iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) & 0o077 == 0
    changed = folder / "diffusion_pytorch_model.safetensors"
    before = changed.stat().st_mtime_ns
    copy = tmp_path / "copy.pth"
    copy.write_bytes(checkpoint.read_bytes())
    assert Prior.load(copy).sha256 == first.sha256
    assert [entry.name for entry in (cache / "checkpoints").iterdir()] == [folder.name]
    assert changed.stat().st_mtime_ns == before
    assert Prior.load(folder).sha256 == first.sha256  # a prior's folder like others
    alphas = torch.tensor([0.9999, 0.9999 * (1 - 1e-4 - 0.0199 / 999)])
    torch.testing.assert_close(first.schedule.alphas_cumprod[:2], alphas)


def without(name):
    return lambda state: state.pop(name)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (without("input_blocks.2.0.out_layers.0.bias"), "no input_blocks.2.0.out_layers.0.bias"),
        (without("time_embed.0.weight"), "no time_embed.0.weight"),
        (lambda state: state.update({"label_emb.weight": torch.zeros(10, 256)}), "no place for label_emb.weight"),
        (lambda state: state.update({"out.2.weight": torch.zeros(3, 32, 1, 1)}), "conv_out.weight is missing or of"),
        (lambda state: state.update({"out.0.weight": "text"}), "'str' object"),
        (lambda state: state.clear(), "do not form levels"),
    ],
)
def test_another_network_is_refused(damage, said, guided_diffusion, tmp_path, cache):
    state = guided_diffusion[HALF_WIDTH].state_dict()
    damage(state)
    torch.save(state, tmp_path / "other.pt")
    with pytest.raises(JobError, match="is not of a guided-diffusion UNet") as refused:
        Prior.load(tmp_path / "other.pt")
    assert said in str(refused.value)
    assert not cache.exists()


def test_what_is_not_weights_is_never_run(tmp_path, cache):
    class Harmful:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    torch.save({"weights": Harmful()}, tmp_path / "harmful.pt")
    (tmp_path / "text.pt").write_text("no checkpoint")
    for name in ("harmful.pt", "text.pt"):
        with pytest.raises(JobError, match="damaged or holds more than weights"):
            Prior.load(tmp_path / name)
    assert not (tmp_path / "ran").exists() and not cache.exists()


def test_a_cache_that_cannot_be_written_is_said(checkpoint, tmp_path):
    (tmp_path / "home").write_text("a file where a folder should be")
    with pytest.raises(JobError, match="cannot be written to"):
        Prior.load(checkpoint)


def test_the_configuration_is_read_off_the_weights(guided_diffusion):
    assert configuration(guided_diffusion[LEARNED_SIGMA].state_dict()) == {
        "image_channels": 3,
        "model_channels": 64,
        "level_channels": [64, 128],
        "attention": [False, True],
        "blocks": 2,
    }
