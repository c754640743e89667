"""Training for real, on small images: it learns, writes what it says, and goes on where it stopped."""

import hashlib
import itertools
import json
import math
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from CTSuperResolutionLib.cli.main import main
from CTSuperResolutionLib.diffusion.networks.image_acquisition import ImageAcquisition
from CTSuperResolutionLib.diffusion.networks.residual_denoiser import ResidualDenoiser
from CTSuperResolutionLib.diffusion.noise_schedule import NoiseSchedule
from CTSuperResolutionLib.diffusion.prior import Prior
from CTSuperResolutionLib.diffusion.prior_folder import WEIGHTS
from CTSuperResolutionLib.diffusion.training import datasets as training_data
from CTSuperResolutionLib.diffusion.training import degraded_ct, validation
from CTSuperResolutionLib.diffusion.training import loop as training
from CTSuperResolutionLib.diffusion.training.examples import Example
from CTSuperResolutionLib.diffusion.training.loop import TrainingPlan, make_accelerator, train_prior
from CTSuperResolutionLib.diffusion.training.validation import validate
from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.trust.familiar_patches import FamiliarPatches
from CTSuperResolutionLib.volume.reading import read_volume
from CTSuperResolutionLib.volume.volume import Volume
from CTSuperResolutionLib.volume.writing import write_volume

ROOT = Path(__file__).resolve().parents[2]
SCHEDULE = NoiseSchedule.linear()
ALPHAS = SCHEDULE.alphas_cumprod


@pytest.fixture(autouse=True)
def less_work(monkeypatch):
    monkeypatch.setattr(training, "VALIDATION_EXAMPLES", 8)
    monkeypatch.setattr(validation, "VALIDATION_STEPS", (0, 400))
    monkeypatch.setattr(training_data, "DEAD_LEAVES_SHAPE", (32, 32, 32))
    monkeypatch.setattr(degraded_ct, "SMALLEST", 16)  # of what factors leave of these


class Blurred:
    """Noise of a few pixels that the start has lost half of, plus what a fifth more contrast adds."""

    def draw(self, rng: np.random.Generator, crop: int) -> Example:
        truth = rng.standard_normal((crop, crop), dtype=np.float32) * np.float32(0.2)
        start = (truth + np.roll(truth, 1, 1)) / 2
        return Example(start, truth, 0.02, ImageAcquisition(2, 2))


class Endless(Blurred):
    """Pictures without bounds."""

    def draw(self, rng: np.random.Generator, crop: int) -> Example:
        return Example(
            np.full((crop, crop), np.inf, np.float32), np.zeros((crop, crop), np.float32), 1.0, ImageAcquisition(1, 1)
        )


def train(out: Path, steps: int, *, ct: tuple[str, ...] = (), **changes) -> list[int]:
    """Train on pictures alone; which steps were done."""
    done = []
    options = {"batch": 1, "crop": 16} | {
        name: changes.pop(name) for name in ("minutes", "batch", "report_every") if name in changes
    }
    train_prior(
        changes.pop("examples", Blurred()), Blurred(), out, TrainingPlan(steps=steps, **options), card={"ct": list(ct)},
        accelerator=make_accelerator("cpu"), **{"on_step": lambda step, *_: done.append(step)} | changes,
    )  # fmt: skip
    return done


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.slow
def test_it_learns_what_a_start_lacks(tmp_path):
    """Of the mean of two neighbours a 14 x 14 neighbourhood tells most; a network that knows nothing scores 1."""
    plan = TrainingPlan(steps=200, batch=8, crop=24, ema_decay=0.9)
    losses = []
    found = train_prior(
        Blurred(), Blurred(), tmp_path, plan, card={"ct": []}, accelerator=make_accelerator("cpu"),
        on_step=lambda step, steps, loss: losses.append(loss),
    )  # fmt: skip
    assert found["0"] < 0.6 and found["400"] < 0.3
    assert np.mean(losses[-20:]) < 0.6 * np.mean(losses[:5])


@pytest.mark.slow
def test_the_folder_holds_the_prior_that_was_validated(tmp_path):
    """What training.json and log.jsonl say is what the weights read back give, on the same held-out examples."""
    train(tmp_path, 25, batch=4)
    names = {"config.json", "scheduler_config.json", WEIGHTS, "training.json", "log.jsonl", "samples.png"}
    assert {p.name for p in tmp_path.iterdir()} == names | {"checkpoint.pt"}
    card = json.loads((tmp_path / "training.json").read_text())
    prior = Prior.load(tmp_path)
    rng = np.random.default_rng(7)
    again = validate(prior.denoiser, [Blurred().draw(rng, 16) for _ in range(8)], SCHEDULE)
    assert card["validation_loss"] == pytest.approx(again, abs=1e-3)
    assert again["400"] < 0.9  # not what it began with
    assert (card["steps_done"], card["ct"], card["plan"]["batch"]) == (25, [], 4)
    assert card["parameters"] == sum(math.prod(v.shape) for v in prior.denoiser.state_dict().values())
    (line,) = (tmp_path / "log.jsonl").read_text().splitlines()
    assert json.loads(line).items() >= {"step": 25, **card["validation_loss"]}.items()
    with Image.open(tmp_path / "samples.png") as picture:
        assert picture.size == (7 * 16, 6 * 16)


def test_reports_leave_training_as_it_is_and_write_the_averaged_weights(tmp_path):
    train(tmp_path / "often", 12, batch=2, report_every=5)
    train(tmp_path / "once", 12, batch=2)
    weights = load_file(tmp_path / "once" / WEIGHTS)
    for name, values in load_file(tmp_path / "often" / WEIGHTS).items():
        assert torch.equal(values, weights[name])
    state = torch.load(tmp_path / "once" / "checkpoint.pt", weights_only=True)
    averaged = dict(
        zip(
            dict(ResidualDenoiser(blocks=8, neighbours=2, acquisition=True).named_parameters()),
            state["ema"]["shadow_params"],
            strict=True,
        )
    )
    for name, values in weights.items():
        assert torch.equal(values, averaged[name].half())
    assert (weights["conv_out.weight"] != state["network"]["conv_out.weight"].half()).float().mean() > 0.5


@pytest.mark.slow
def test_it_begins_with_a_prior_and_goes_on_from_its_own_checkpoint(tmp_path):
    """Weights that are averaged over a single step differ little from those that it begins with."""
    train(tmp_path / "first", 6, batch=2)
    begin = Prior.load(tmp_path / "first")
    plan = TrainingPlan(steps=1, batch=1, crop=16, blocks=10, learning_rate=1e-9)
    told = {"card": {"ct": []}, "accelerator": make_accelerator("cpu")}
    train_prior(Blurred(), Blurred(), tmp_path / "second", plan, start=begin, **told)
    first, second = (load_file(tmp_path / name / WEIGHTS) for name in ("first", "second"))
    assert len(Prior.load(tmp_path / "second").denoiser.body) == 10
    assert all(torch.allclose(second[name], values, atol=1e-3) for name, values in first.items())
    # What is in the folder already counts more than the prior to begin with.
    before = sha256(tmp_path / "second" / WEIGHTS)
    train_prior(Blurred(), Blurred(), tmp_path / "second", plan, start=begin, **told)
    assert sha256(tmp_path / "second" / WEIGHTS) == before
    with pytest.raises(JobError, match="cannot begin with that prior"):
        train_prior(Blurred(), Blurred(), tmp_path / "third", replace(plan, blocks=3), start=begin, **told)


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1.0), (0.5, 0.25), (1.0, 0.0), (2.0, 1.0)])
def test_the_validation_loss_is_the_share_that_is_left(share, expected):
    """With starts of 5/4 of the truth the whole answer at t = 0 is a fifth of what is shown, over √(1 − ᾱ)."""

    class Fifth(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.share = torch.nn.Parameter(torch.tensor(share))

        def predict_noise(
            self, shown: torch.Tensor, step: int, acquisitions: torch.Tensor, neighbours: torch.Tensor
        ) -> torch.Tensor:
            assert acquisitions.tolist() == [list(ImageAcquisition(4, 4))] * len(shown)
            assert neighbours.shape == (len(shown), 4, 8, 8)
            sigma = (1 - ALPHAS[step]).sqrt()
            return self.share * torch.where(sigma < 0.1, 0.2, 1.0) * shown / sigma

    truth = np.random.default_rng(0).standard_normal((200, 8, 8)).astype(np.float32)
    found = validate(Fifth(), [Example(1.25 * x, x, 1.0, ImageAcquisition(4, 4)) for x in truth], SCHEDULE)
    assert found["0"] == pytest.approx(expected, abs=1e-4)
    alpha = float(ALPHAS[400])  # there what is shown, over σ, is the noise and the truth
    of_truth = share**2 * alpha / (1 - alpha) * np.mean(truth**2)
    assert found["400"] == pytest.approx(expected + of_truth, rel=0.02)


def test_it_goes_on_where_it_stopped_and_remembers_every_ct(tmp_path):
    assert train(tmp_path, 3, ct=("b", "a")) == [1, 2, 3]
    assert train(tmp_path, 5, ct=("c", "a")) == [4, 5]
    assert json.loads((tmp_path / "training.json").read_text())["ct"] == ["a", "b", "c"]
    before = sha256(tmp_path / WEIGHTS)
    assert train(tmp_path, 5) == []  # nothing left to do: the same weights again
    assert sha256(tmp_path / WEIGHTS) == before
    card = json.loads((tmp_path / "training.json").read_text())
    assert (card["ct"], card["steps_done"]) == (["a", "b", "c"], 5)
    assert [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()] == [3, 5, 5]


def test_training_that_runs_away_ends_and_leaves_the_last_checkpoint(tmp_path):
    train(tmp_path, 2)
    before = sha256(tmp_path / training.CHECKPOINT), sha256(tmp_path / WEIGHTS)
    with pytest.raises(JobError, match=r"^Training ran away: the loss of step \d+ is not a number; .*\.$"):
        train(tmp_path, 40, examples=Endless())
    assert (sha256(tmp_path / training.CHECKPOINT), sha256(tmp_path / WEIGHTS)) == before


@pytest.mark.parametrize("reason", [KeyboardInterrupt, JobError])
def test_stopped_training_can_go_on(tmp_path, reason):
    def stop(step: int, steps: int, loss: float) -> None:
        if step == 3:
            raise reason("stop")

    with pytest.raises(reason):
        train(tmp_path, 100, ct=("seen",), on_step=stop)
    assert {p.name for p in tmp_path.iterdir()} == {"checkpoint.pt"}
    assert train(tmp_path, 5) == [4, 5]
    assert json.loads((tmp_path / "training.json").read_text())["ct"] == ["seen"]


def test_minutes_end_it(tmp_path, monkeypatch):
    """By a clock that a step advances by six seconds: ten steps and no more."""
    clock = itertools.count(0.0, 6.0)
    monkeypatch.setattr(training, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    assert train(tmp_path, 1_000_000, minutes=1) == list(range(1, 10))  # the tenth look at the clock ends it
    assert json.loads((tmp_path / "training.json").read_text())["minutes"] == pytest.approx(1.1)


class Malicious:
    """As a pickle it makes a folder when it is loaded."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self):
        return os.mkdir, (str(self.place),)


@pytest.mark.parametrize("kind", ["text", "cut", "another network", "pickle"])
def test_a_damaged_checkpoint_is_one_sentence(tmp_path, kind):
    checkpoint = tmp_path / "out" / "checkpoint.pt"
    train(checkpoint.parent, 1)
    if kind == "text":
        checkpoint.write_bytes(b"not a checkpoint")
    elif kind == "cut":
        checkpoint.write_bytes(checkpoint.read_bytes()[:-5000])
    elif kind == "another network":
        state = torch.load(checkpoint, weights_only=True)
        torch.save({**state, "network": ResidualDenoiser(channels=8).state_dict()}, checkpoint)
    else:
        torch.save({"network": Malicious(tmp_path / "taken")}, checkpoint)
    before = sha256(checkpoint)
    with pytest.raises(JobError, match=r"^The checkpoint .*checkpoint\.pt cannot be read; delete it .*\.$"):
        train(checkpoint.parent, 2)
    assert sha256(checkpoint) == before and not (tmp_path / "taken").exists()


def make_images(folder: Path) -> tuple[Path, Path]:
    """A folder of radiographs and one of two CTs, "one" and "two"."""
    rng = np.random.default_rng(0)
    (folder / "x-rays").mkdir()
    for k in range(4):
        Image.fromarray(rng.integers(0, 255, (70, 80), dtype=np.uint8)).save(folder / "x-rays" / f"{k}.png")
    (folder / "ct").mkdir()
    for name in ("one", "two"):
        array = rng.uniform(-900, 900, (34, 34, 34)).astype(np.float32)
        write_volume(
            Volume(array, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1)), folder / "ct" / f"{name}.nrrd"
        )
    return folder / "x-rays", folder / "ct"


def command(*arguments: object) -> list[str]:
    small = ("--batch", 1, "--crop", 32, "--validation-fraction", 0.5, "--device", "cpu", "--events", "json")
    return [str(argument) for argument in ("train-prior", *arguments, *small)]


def test_the_command_trains_on_all_kinds_and_goes_on(tmp_path, capfd):
    xrays, cts = make_images(tmp_path)
    out = tmp_path / "new" / "prior"
    start = (xrays, "--out", out, "--ct", cts, "--dead-leaves", 4)
    for left_out, steps, done in (("one", 2, 2), ("two", 3, 1)):
        assert main(command(*start, "--leave-out", left_out, "--steps", steps)) == 0
        told = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
        stages = {event["stage"]: (event["step"], event["steps"]) for event in told if event["event"] == "progress"}
        assert stages == {"prepare": (6, 6), "train": (done, done)}  # a CT, a folder and four volumes of leaves
        assert told[-1]["folder"] == str(out) and set(told[-1]["validation_loss"]) == {"0", "400"}
    card = json.loads((out / "training.json").read_text())
    assert card["ct"] == ["one", "two"]
    assert (card["steps_done"], card["radiographs"], card["dead_leaves"]) == (3, {"x-rays": 2}, 4)
    for name in ("one", "two"):  # and knows again what it saw, by either call
        assert FamiliarPatches.load(out).unfamiliar_percent(read_volume(cts / f"{name}.nrrd")) == 0
    assert Prior.load(out).at(ImageAcquisition(4, 4)).predict_noise(torch.zeros(1, 1, 33, 20), 5).isfinite().all()


@pytest.fixture
def xrays(tmp_path):
    return make_images(tmp_path)[0]


def test_a_very_short_time_is_a_short_time(xrays, tmp_path, capfd):
    assert main(command(xrays, "--out", tmp_path / "out", "--dead-leaves", 0, "--minutes", 0.004)) == 0
    told = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    announced = [event["remaining_s"] for event in told if event.get("stage") == "train"]
    assert announced and max(announced) < 60


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--ct-share", "0", "--dead-leaves-share", "0", "--radiograph-share", "0"], "too little to train on"),
        (["--ct", "nowhere"], "There is no folder or file nowhere"),
        (["--leave-out", "one"], "no CT 'one' to leave out; there are none"),
    ],
)
def test_what_cannot_be_trained_on_is_one_sentence_and_leaves_nothing(xrays, tmp_path, capfd, given, message):
    assert main(command(xrays, "--out", tmp_path / "new" / "prior", *given)) == 2
    error = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert error["kind"] == "input" and message in error["message"]
    assert not (tmp_path / "new").exists()


def test_without_accelerate_it_says_what_to_install_before_it_prepares(xrays, tmp_path, capfd, monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)  # as if it was not there
    prepared = []
    monkeypatch.setattr(training_data.TrainingImages, "load", lambda self, *_: prepared.append(self))
    assert main(command(xrays, "--out", tmp_path / "new" / "prior")) == 2
    error = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert error["message"] == "Training needs accelerate; install it with pip install 'ctsuperresolution[train]'."
    assert not prepared and not (tmp_path / "new").exists()


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


WORKER = """
import itertools, os, sys, time, types
from CTSuperResolutionLib.cli.main import main
from CTSuperResolutionLib.diffusion.training import loop as training
write = training.write_samples
training.write_samples = lambda *given: (time.sleep(1), write(*given))
while os.environ["RANK"] == "0" and not os.path.isdir(sys.argv[sys.argv.index("--out") + 1]):
    time.sleep(0.05)
clock = itertools.count(0.0, 5.0 * (1 + int(os.environ["RANK"])))
training.time = types.SimpleNamespace(monotonic=lambda: next(clock))
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="accelerate starts no CPU processes on Windows")
def test_two_processes_train_one_prior_and_end_together(xrays, tmp_path, unused_port):
    """Though the second one's clock is twice as fast: on average a step takes 7.5 s, so the eighth look ends it.

    The second one makes the folder, and has nothing to write when the first one writes slowly.
    """
    out = tmp_path / "new" / "prior"
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(unused_port), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    shared |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    arguments = command(xrays, "--out", out, "--dead-leaves", 0, "--minutes", 1)
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, **shared, "RANK": rank, "LOCAL_RANK": rank},
        )
        for rank in ("0", "1")
    ]  # fmt: skip
    try:
        ended = [worker.communicate(timeout=120) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    assert [worker.returncode for worker in workers] == [0, 0], ended
    first, second = (json.loads(out.splitlines()[-1]) for out, _ in ended)
    assert first["validation_loss"] == second["validation_loss"]  # the same network in both
    assert json.loads((out / "training.json").read_text())["steps_done"] == 7
    assert len((out / "log.jsonl").read_text().splitlines()) == 1
