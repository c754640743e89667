"""The prior's files: what is written is read back, and what is damaged is refused in one sentence."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler, UNet2DModel
from safetensors.torch import load_file, save_file

from CTSuperResolutionLib.diffusion.networks.residual_denoiser import ResidualDenoiser
from CTSuperResolutionLib.diffusion.prior import Prior, save_prior
from CTSuperResolutionLib.diffusion.prior_folder import WEIGHTS
from CTSuperResolutionLib.errors import JobError

ROOT = Path(__file__).resolve().parents[2]
TINY = (8, 8, 16)


def unet(channels: int = 1) -> UNet2DModel:
    """A very small network of random weights, always the same."""
    torch.manual_seed(0)
    return UNet2DModel(
        in_channels=channels, out_channels=channels, block_out_channels=TINY, norm_num_groups=8, layers_per_block=1,
        down_block_types=("DownBlock2D",) * 3, up_block_types=("UpBlock2D",) * 3, add_attention=False,
    ).eval()  # fmt: skip


def save(network: UNet2DModel, folder) -> None:
    """As diffusers writes a network and the schedule of DDPM."""
    network.save_pretrained(folder)
    DDIMScheduler(num_train_timesteps=1000, beta_start=1e-4, beta_end=0.02).save_config(folder)


@pytest.fixture
def folder(tmp_path):
    save(unet(), tmp_path / "tiny")
    return tmp_path / "tiny"


def test_written_and_read_back(folder):
    network = unet()
    prior = Prior.load(folder)
    x = torch.randn(2, 1, 32, 48)
    with torch.no_grad():
        expected = network(x, torch.tensor([50, 50])).sample
    torch.testing.assert_close(prior.predict_noise(x, 50), expected)
    assert prior.sha256 == hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()


def test_the_shipped_prior_loads_without_diffusers():
    """Which takes longer to load than torch, and 130 MB."""
    told = (
        "import sys, CTSuperResolutionLib.pipeline; from CTSuperResolutionLib.diffusion.prior import Prior;"
        "from CTSuperResolutionLib.job.priors import find_prior; Prior.load(find_prior('shipped'));"
        "sys.exit(sorted({'diffusers', 'accelerate', 'scipy.stats'} & set(sys.modules)) or None)"
    )
    ended = subprocess.run([sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("shape", [(33, 47), (64, 5), (20, 20)])
def test_any_image_size(folder, shape):
    x = torch.randn(1, 1, *shape)
    assert Prior.load(folder).predict_noise(x, 10).shape == x.shape


def test_schedule_is_the_linear_one_of_ddpm(folder):
    """ᾱ_t is the running product of 1 − β, β linear from 1e-4 to 0.02 over 1000 steps."""
    expected = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0)
    torch.testing.assert_close(Prior.load(folder).schedule.alphas_cumprod.double(), expected, rtol=1e-4, atol=1e-7)


def test_truncated_weights(folder):
    weights = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(weights[: len(weights) // 2])
    with pytest.raises(JobError, match="damaged"):
        Prior.load(folder)


def test_weights_of_another_network(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"block_out_channels": [8, 16, 16]}))
    with pytest.raises(JobError, match="damaged"):
        Prior.load(folder)


@pytest.mark.parametrize("change", [lambda w: w.pop("conv_in.weight"), lambda w: w.update(more=torch.zeros(2))])
def test_weights_of_another_version_of_the_network(folder, change):
    """diffusers would fill in what is missing with whatever memory held, and pass over the rest."""
    weights = load_file(folder / WEIGHTS)
    change(weights)
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    with pytest.raises(JobError, match="weights of another version of UNet2DModel"):
        Prior.load(folder)


@pytest.mark.parametrize("name", ["config.json", "scheduler_config.json", WEIGHTS])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(JobError, match=name):
        Prior.load(folder)


def test_a_pickle_is_never_loaded(folder):
    """The same weights as a torch pickle are not taken for want of safetensors."""
    torch.save(unet().state_dict(), folder / "diffusion_pytorch_model.bin")
    (folder / WEIGHTS).unlink()
    with pytest.raises(JobError, match="safetensors"):
        Prior.load(folder)


def test_weights_that_are_not_numbers(tmp_path):
    network = ResidualDenoiser(channels=8, blocks=1)
    next(network.parameters()).data[0] = float("nan")
    save_prior(network, tmp_path, card={})
    with pytest.raises(JobError, match="not numbers"):
        Prior.load(tmp_path)


@pytest.mark.parametrize("size", [1e18, 1e30, 1e38])
def test_huge_weights_are_refused_before_they_overflow(tmp_path, size):
    """All of them are numbers; what comes of them is not, or is no noise."""
    network = unet()
    network.conv_out.weight.data[:] = size
    save(network, tmp_path)
    with pytest.raises(JobError, match=r"predicts values beyond any noise; download or train it again\.$"):
        Prior.load(tmp_path)


def test_an_overflow_that_only_some_images_show_is_one_sentence(folder):
    prior = Prior.load(folder)
    with pytest.raises(JobError, match=r"predicts values that are not numbers; download or train it again\.$"):
        prior.predict_noise(torch.full((1, 1, 16, 16), 3e38), 10)


@pytest.mark.parametrize("with_index", [True, False])
def test_no_other_weights_are_loaded_than_those_that_are_hashed(folder, with_index):
    """An index would make diffusers load the files that it lists, whatever the folder's own weights are."""
    other = unet()
    other.conv_out.weight.data += 1
    save_file(other.state_dict(), folder / "other.safetensors", metadata={"format": "pt"})
    if with_index:
        index = {"metadata": {}, "weight_map": dict.fromkeys(other.state_dict(), "other.safetensors")}
        (folder / f"{WEIGHTS}.index.json").write_text(json.dumps(index))
    with pytest.raises(JobError, match=r"has other weights beside .* \(.+\); take them out of the folder\.$"):
        Prior.load(folder)


def test_weights_with_the_older_names_of_attention(tmp_path):
    torch.manual_seed(0)
    network = UNet2DModel(
        in_channels=1, out_channels=1, block_out_channels=TINY, norm_num_groups=8, layers_per_block=1,
        down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
    ).eval()  # fmt: skip
    save(network, tmp_path)
    x = torch.randn(1, 1, 16, 16)
    expected = Prior.load(tmp_path).predict_noise(x, 50)
    older = {}
    for name, values in network.state_dict().items():
        for today, old in {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}.items():
            name = name.replace(f".{today}.", f".{old}.")
        older[name] = values
    assert older.keys() != network.state_dict().keys()
    save_file(older, tmp_path / WEIGHTS, metadata={"format": "pt"})
    assert torch.equal(Prior.load(tmp_path).predict_noise(x, 50), expected)


def save_unet(folder, channels):
    network = unet(channels)
    save(network, folder)
    return network


def test_a_colour_prior_sees_the_grey_image_thrice(tmp_path):
    network = save_unet(tmp_path, 3)
    x = torch.randn(2, 1, 16, 24)
    with torch.no_grad():
        predicted = network(torch.cat([x, x, x], 1), torch.tensor([7, 7])).sample
    expected = (predicted[:, 0] + predicted[:, 1] + predicted[:, 2]) / 3
    torch.testing.assert_close(Prior.load(tmp_path).predict_noise(x, 7)[:, 0], expected)


def test_priors_of_other_images_are_refused(tmp_path):
    save_unet(tmp_path, 2)
    with pytest.raises(JobError, match="neither on grey nor on colour"):
        Prior.load(tmp_path)


@pytest.mark.parametrize("name", ["UNet2DConditionModel", "../network"])
def test_a_network_of_another_kind_is_refused(folder, name):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"_class_name": name}))
    with pytest.raises(JobError, match="not one of ResidualDenoiser, UNet2DModel, GuidedDiffusionUNet"):
        Prior.load(folder)


@pytest.mark.parametrize(
    "changed", [{"prediction_type": "v_prediction"}, {"rescale_betas_zero_snr": True}], ids=lambda c: next(iter(c))
)
def test_a_prior_that_does_not_predict_noise_is_refused(folder, changed):
    config = json.loads((folder / "scheduler_config.json").read_text())
    (folder / "scheduler_config.json").write_text(json.dumps(config | changed))
    with pytest.raises(JobError, match="does not predict noise at every step"):
        Prior.load(folder)


def test_a_prior_of_classes_is_refused(tmp_path):
    save(UNet2DModel.from_config(unet().config, num_class_embeds=3), tmp_path)
    with pytest.raises(JobError, match="has to be told a class"):
        Prior.load(tmp_path)
