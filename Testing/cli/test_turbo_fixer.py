"""Slice fixers on a text-to-image model on the command line: what is refused, and the whole way."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tiny_base import save_tiny_base

from CTSuperResolutionLib.cli.main import main
from CTSuperResolutionLib.phantom import thorax
from CTSuperResolutionLib.volume.writing import write_volume

Ctsr = Callable[..., object]
TRAIN = ["--scans", 1, "--batch", 2, "--device", "cpu"]
FIT = ["--method", "diffnr", "--device", "cpu", "--set", "guide=none", "--set", "repair_rounds=1"]
FIT += ["--set", "gaussian_steps=4", "--set", "gaussians=300"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_base(tmp_path_factory.mktemp("turbo") / "base")


@pytest.fixture(scope="module")
def ct(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chest just large enough to train on."""
    path = tmp_path_factory.mktemp("ct") / "ct.nrrd"
    write_volume(thorax(shape=(16, 16, 20), spacing=6.0), path)
    return path


@pytest.fixture(scope="module")
def fixer(base: Path, ct: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder after two steps, trained on a base of its own."""
    out = tmp_path_factory.mktemp("fixer")
    shutil.copytree(base, out / "base")
    options = ["--base", out / "base", "--word", "abdomen", "--out", out / "fixer", "--steps", 2, *TRAIN]
    assert main(["train-slice-fixer", str(ct), *map(str, options)]) == 0
    return out / "fixer"


@pytest.fixture(scope="module")
def projections(ct: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("projections") / "scan"
    assert main(["simulate", str(ct), str(out), "--views", "8", "--geometry", "parallel"]) == 0
    return out


def _one_sentence(ended: object, said: str) -> None:
    """After the stages that were begun, a line that says what is wrong and what to do, and no more."""
    *stages, last = ended.err.splitlines()
    assert ended.code == 2 and said in last, ended.err
    assert {line.split()[0] for line in stages} <= {"prepare", "load"}, ended.err
    assert last.endswith(".") and ("; " in last), ended.err


class _Opened:
    """Pickled, it makes a folder when it is opened."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self._mark),)


def _without(*names: str) -> Callable[[Path], None]:
    return lambda base: [(base / name).unlink() for name in names] and None


def _entry(name: str, **entries: object) -> Callable[[Path], None]:
    def change(base: Path) -> None:
        file = base / name
        file.write_text(json.dumps(json.loads(file.read_text()) | entries))

    return change


def _cut(name: str) -> Callable[[Path], None]:
    return lambda base: (base / name).write_bytes((base / name).read_bytes()[:-64]) and None


def _lacking(base: Path) -> None:
    file = base / "unet/diffusion_pytorch_model.safetensors"
    state = safetensors.torch.load_file(file)
    safetensors.torch.save_file({name: state[name] for name in list(state)[1:]}, file, metadata={"format": "pt"})


def _pickled(part: str) -> Callable[[Path], None]:
    def change(base: Path) -> None:
        (file,) = (base / part).glob("*.safetensors")
        file.unlink()
        name = "pytorch_model.bin" if part == "text_encoder" else "diffusion_pytorch_model.bin"
        (base / part / name).write_bytes(pickle.dumps(_Opened(base / "opened")))

    return change


UNET, VAE = "unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (shutil.rmtree, f"has no {UNET}; name the folder"),
        (_without(UNET), f"has no {UNET}; name the folder"),
        (_without(VAE), f"has no {VAE}"),
        (_without("unet/config.json"), "has no unet/config.json"),
        (_without("scheduler/scheduler_config.json"), "has no scheduler/scheduler_config.json"),
        (_without("text_encoder/model.safetensors"), "has no text_encoder/model.safetensors"),
        (_without("tokenizer/tokenizer_config.json"), "has no tokenizer/tokenizer_config.json"),
        (_without("tokenizer/vocab.json"), "The tokenizer of the base"),
        (_pickled("unet"), "has unet/diffusion_pytorch_model.bin in place of safetensors, which is not opened"),
        (_pickled("vae"), "has vae/diffusion_pytorch_model.bin in place of safetensors"),
        (_pickled("text_encoder"), "has text_encoder/pytorch_model.bin in place of safetensors"),
        (_cut(UNET), "The unet of the base"),
        (_lacking, "The unet of the base"),
        (_entry("unet/config.json", _class_name="UNet2DModel"), "is a UNet2DModel, no UNet2DConditionModel"),
        (_entry("vae/config.json", _class_name="AutoencoderTiny"), "is a AutoencoderTiny, no AutoencoderKL"),
        (_entry("scheduler/scheduler_config.json", prediction_type="sample"), "predicts 'sample'"),
        (_entry("scheduler/scheduler_config.json", rescale_betas_zero_snr=True), "with ᾱ = 0 in the end"),
    ],
)
def test_a_folder_that_is_no_base_is_said_and_no_pickle_opened(
    change: Callable[[Path], None], said: str, ctsr_here: Ctsr, base: Path, ct: Path, tmp_path: Path
) -> None:
    broken = shutil.copytree(base, tmp_path / "base")
    change(broken)
    _one_sentence(ctsr_here("train-slice-fixer", ct, "--out", tmp_path / "out", "--base", broken, *TRAIN), said)
    assert not (broken / "opened").exists() and not list((tmp_path / "out").iterdir())


def test_a_model_of_another_shape_is_no_base(ctsr_here: Ctsr, ct: Path, tmp_path: Path) -> None:
    """One whose UNet is shown an image beside the latent."""
    other = save_tiny_base(tmp_path / "base", in_channels=9)
    ended = ctsr_here("train-slice-fixer", ct, "--out", tmp_path / "out", "--base", other, *TRAIN)
    _one_sentence(ended, "is not of the shape of Stable Diffusion")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--base", "BASE", "--word", "cheast"], "There is no word 'cheast'; the nearest is 'chest'"),
        (["--base", "BASE", "--channels", 16], "--channels is for the small network alone; leave it or --base out."),
        (["--base", "BASE", "--up-down"], "--up-down is for the small network alone"),
        (["--word", "chest"], "--word is for a base alone; give --base or leave it out."),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    options: list[object], said: str, ctsr_here: Ctsr, base: Path, ct: Path, tmp_path: Path
) -> None:
    given = [base if option == "BASE" else option for option in options]
    _one_sentence(ctsr_here("train-slice-fixer", ct, "--out", tmp_path / "out", *given, *TRAIN), said)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("package", ["peft", "transformers"])
def test_without_its_packages_it_says_what_to_install(
    package: str, ctsr_here: Ctsr, base: Path, ct: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # as if it was not there
    ended = ctsr_here("train-slice-fixer", ct, "--out", tmp_path / "out", "--base", base, *TRAIN)
    _one_sentence(ended, f"needs {package}; install it with pip install 'ctsuperresolution[turbo]'.")


@pytest.mark.slow
def test_it_is_trained_goes_on_and_repairs_within_the_fit(
    ctsr: Ctsr, ctsr_here: Ctsr, base: Path, ct: Path, fixer: Path, projections: Path, tmp_path: Path
) -> None:
    """The whole way, in processes of its own."""
    trained = shutil.copytree(fixer, tmp_path / "fixer")
    options = ["--out", trained, "--steps", 3, *TRAIN]
    assert ctsr("train-slice-fixer", ct, "--base", base, *options).code == 0  # the same weights lie there
    assert json.loads((trained / "training.json").read_text())["steps_done"] == 3
    ended = ctsr("reconstruct", projections, tmp_path / "out", *FIT, "--prior", trained, "--set", "body_part=head")
    assert ended.code == 0, ended.err
    known = json.loads((tmp_path / "out" / "result.json").read_text())["slice_fixer"]
    assert known["trained_on"] == ["ct"] and known["body_part"] == "head" and len(known["base_sha256"]["unet"]) == 64

    other = save_tiny_base(tmp_path / "other", seed=1)
    _one_sentence(ctsr_here("train-slice-fixer", ct, "--base", other, *options), "that is not of this base, ")
    # It is the repair that changes the volume.
    plain = ctsr_here("reconstruct", projections, tmp_path / "swept", *FIT, "--set", "repaired=no", "--prior", trained)
    assert plain.code == 0, plain.err
    one, two = ((tmp_path / name / "reconstruction.nrrd").read_bytes()[-2000:] for name in ("out", "swept"))
    assert one != two


def test_a_fixer_whose_base_is_gone_or_another_is_said(
    ctsr_here: Ctsr, fixer: Path, projections: Path, tmp_path: Path
) -> None:
    fixer = shutil.copytree(fixer, tmp_path / "fixer")
    config = json.loads((fixer / "config.json").read_text())

    def reconstruct(*options: object, **entries: object) -> object:
        (fixer / "config.json").write_text(json.dumps(config | entries))
        return ctsr_here("reconstruct", projections, tmp_path / "out", *FIT, "--prior", fixer, *options)

    where = f'write where it lies as "base" into {fixer / "config.json"}.'
    _one_sentence(reconstruct(base=str(tmp_path / "gone")), f"which is not there; put it back, or {where}")
    other = save_tiny_base(tmp_path / "other", seed=1)
    _one_sentence(reconstruct(base=str(other)), f"was trained on; {where}")
    _one_sentence(reconstruct(words=["abdomen"]), "is damaged")  # one prompt for one word
    _one_sentence(reconstruct("--set", "body_part=head", words=["abdomen", "foot", "hand", "arm"]), "knows no 'head'")
    _one_sentence(reconstruct("--set", "body_part=foot"), "There is no body_part 'foot'; choose trained, chest")
    _one_sentence(reconstruct(step={}), "is damaged")
    assert not (tmp_path / "out").exists()
    moved = shutil.copytree(config["base"], tmp_path / "moved")
    assert reconstruct(base=str(moved)).code == 0
