"""The shipped prior's network against the same sums in numpy, and what its docstring says it sees."""

import contextlib
import math

import numpy as np
import pytest
import scipy.signal
import torch

from CTSuperResolutionLib.diffusion.networks.image_acquisition import ImageAcquisition
from CTSuperResolutionLib.diffusion.networks.residual_denoiser import ResidualDenoiser
from CTSuperResolutionLib.diffusion.prior import Prior, save_prior
from CTSuperResolutionLib.job.priors import find_prior


def trained(**sizes: int) -> ResidualDenoiser:
    """A network none of whose weights is zero, in float64."""
    torch.manual_seed(0)
    network = ResidualDenoiser(**sizes).double().eval().requires_grad_(False)
    for values in network.parameters():
        torch.nn.init.normal_(values, std=0.2)
    return network


def factors(*each: tuple[float, float]) -> torch.Tensor:
    return torch.tensor(each, dtype=torch.float64)


def images(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def convolved(features: np.ndarray, weights: dict[str, np.ndarray], name: str) -> np.ndarray:
    filters, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    planes = [
        sum(scipy.signal.correlate2d(channel, f, mode="same") for channel, f in zip(features, row, strict=True))
        for row in filters
    ]
    return np.stack(planes) + bias[:, None, None]


def by_the_formulas(network: ResidualDenoiser, image: np.ndarray, step: int, factors: tuple) -> np.ndarray:
    """One image (v, u): patches to channels, residual blocks that step and coarseness modulate, channels to patches."""
    weights = {name: values.numpy() for name, values in network.state_dict().items()}
    channels, patch = network.config["channels"], network.config["patch"]
    frequencies = 10000.0 ** (-np.arange(channels // 2) / (channels // 2))
    time = np.concatenate([np.cos(step * frequencies), np.sin(step * frequencies)])

    def perceptron(values: np.ndarray, first: str, second: str) -> np.ndarray:
        hidden = weights[f"{first}.weight"] @ values + weights[f"{first}.bias"]
        return weights[f"{second}.weight"] @ (hidden / (1 + np.exp(-hidden))) + weights[f"{second}.bias"]

    condition = perceptron(time, "embedding.linear_1", "embedding.linear_2")
    condition = condition + perceptron(np.log2(factors), "coarseness.0", "coarseness.2")
    patches = np.stack([image[i::patch, j::patch] for i in range(patch) for j in range(patch)])
    features = convolved(patches, weights, "conv_in")
    for k in range(network.config["blocks"]):
        film = weights[f"body.{k}.film.weight"] @ condition + weights[f"body.{k}.film.bias"]
        scale, shift = film[:channels, None, None], film[channels:, None, None]
        inner = convolved(features, weights, f"body.{k}.first") * (1 + scale) + shift
        features = features + convolved(np.maximum(inner, 0), weights, f"body.{k}.second")
    answer = np.empty_like(image)
    for channel, plane in enumerate(convolved(features, weights, "conv_out")):
        answer[channel // patch :: patch, channel % patch :: patch] = plane
    return answer


@pytest.mark.parametrize(("patch", "blocks", "shape"), [(2, 2, (6, 34)), (1, 1, (5, 7)), (4, 1, (8, 4))])
def test_it_is_the_sum_that_the_docstring_describes(patch, blocks, shape):
    network, x = trained(channels=6, blocks=blocks, patch=patch), images(2, 1, *shape)
    told = ((4, 1), (2.5, 3))
    answers = network(x, torch.tensor([3, 750]), factors(*told))
    for image, answer, step, factor in zip(x, answers, (3, 750), told, strict=True):
        expected = by_the_formulas(network, image[0].numpy(), step, factor)
        # diffusers embeds the step in single precision
        np.testing.assert_allclose(answer[0], expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize(("patch", "blocks"), [(2, 1), (2, 3), (3, 1), (1, 2)])
def test_a_pixel_sees_so_many_patches_and_no_more(patch, blocks):
    """Which pixels an answer depends on, by autograd; the ones next to the border of that square too."""
    network, reach = trained(channels=8, blocks=blocks, patch=patch), 2 * blocks + 2
    middle, side = reach + 3, 2 * reach + 7
    x = images(4, 1, side * patch, side * patch).requires_grad_()
    answer = network(x, torch.full((4,), 20), factors((4, 4)).expand(4, 2))
    answer[..., middle * patch, middle * patch].sum().backward()
    seen = x.grad.abs().sum((0, 1)) > 0
    patches = seen.reshape(side, patch, side, patch).any(3).any(1).nonzero()
    assert patches.amin(0).tolist() == [middle - reach] * 2
    assert patches.amax(0).tolist() == [middle + reach] * 2


@pytest.mark.parametrize("moved", [(1, 0), (2, 3)])
def test_a_moved_image_gives_the_moved_answer(moved):
    patch, blocks = 2, 2
    network, x = trained(channels=8, blocks=blocks, patch=patch), images(1, 1, 48, 56)
    by = tuple(patch * m for m in moved)
    steps, border = torch.tensor([100]), patch * (2 * blocks + 2) + max(by)
    inside = (..., slice(border, -border), slice(border, -border))
    told = factors((2, 4))
    expected = network(x, steps, told).roll(by, (-2, -1))[inside]
    found = network(x.roll(by, (-2, -1)), steps, told)[inside]
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_the_middle_of_an_image_does_not_depend_on_its_size():
    network, x, steps = trained(channels=8, blocks=1, patch=2), images(1, 1, 60, 44), torch.tensor([0])
    told = factors((8, 8))
    part, whole = network(x[..., 10:50, 6:40], steps, told), network(x, steps, told)
    torch.testing.assert_close(part[..., 8:-8, 8:-8], whole[..., 18:42, 14:32], rtol=1e-9, atol=1e-9)


def test_training_starts_from_no_answer_and_from_contrasts():
    torch.manual_seed(0)
    network, x = ResidualDenoiser(), torch.randn(2, 1, 16, 20)
    answer = network(x, torch.tensor([0, 500]), torch.tensor([[4.0, 4.0], [1.0, 8.0]]))
    assert answer.shape == x.shape and not answer.any()
    (answer - x).square().mean().backward()
    assert network.conv_out.weight.grad.abs().max() > 1e-3  # and yet it can learn
    contrasts, others = network.conv_in.weight[:42], network.conv_in.weight[42:]
    assert (contrasts.std() / others.std()).item() == pytest.approx(10, rel=0.1)
    features = network.conv_in(torch.full((1, 4, 8, 8), 0.7))[0, :, 4, 4]
    assert features[:42].abs().max() < 1e-5 < 1e-3 < features[42:].abs().max()


@pytest.mark.parametrize("sizes", [{"channels": 8, "blocks": 1, "patch": 1}, {"channels": 6, "blocks": 2, "patch": 4}])
def test_written_and_read_back_it_is_the_same_but_for_half_precision(tmp_path, sizes):
    network = trained(**sizes).float()
    before = {name: values.clone() for name, values in network.state_dict().items()}
    save_prior(network, tmp_path, card={})
    assert all(torch.equal(before[name], values) for name, values in network.state_dict().items())
    prior = Prior.load(tmp_path)
    assert dict(prior.denoiser.config).items() >= sizes.items() and prior.denoiser.multiple == sizes["patch"]
    for name, values in prior.denoiser.state_dict().items():
        assert torch.equal(values, torch.from_numpy(before[name].numpy().astype(np.float16).astype(np.float32)))
    x = images(2, 1, 24, 16).float()
    answer, steps = prior.at(ImageAcquisition(1, 1)).predict_noise(x, 30), torch.tensor([30, 30])
    expected = network(x, steps, torch.ones(2, 2))
    torch.testing.assert_close(answer, expected, rtol=0, atol=5e-3 * expected.abs().max().item())


@pytest.mark.parametrize("shape", [(15, 18), (1, 1), (31, 33)])
def test_as_a_prior_it_takes_images_of_any_size(tmp_path, shape):
    """What is missing to whole patches repeats the last row and column."""
    save_prior(trained(channels=8, blocks=1, patch=4).half().float(), tmp_path, card={})
    prior, x = Prior.load(tmp_path), images(2, 1, *shape).float()
    rows, columns = (4 * math.ceil(n / 4) for n in shape)
    padded = np.pad(x.numpy(), [(0, 0), (0, 0), (0, rows - shape[0]), (0, columns - shape[1])], mode="edge")
    told = torch.tensor([[4.0, 1.0], [4.0, 1.0]])
    expected = prior.denoiser(torch.from_numpy(padded), torch.tensor([9, 9]), told)[..., : shape[0], : shape[1]]
    torch.testing.assert_close(prior.at(ImageAcquisition(4, 1)).predict_noise(x, 9), expected)
    assert not torch.allclose(prior.at(ImageAcquisition(1, 4)).predict_noise(x, 9), expected, rtol=0.01)
    with pytest.raises(ValueError, match="how the images were measured"):
        prior.predict_noise(x, 9)


@pytest.mark.parametrize(
    ("factor", "told"), [((10, 10), (8, 8)), ((8, 1), (8, 8)), ((3, 5), (5, 5)), ((4, 1), (4, 1)), ((1, 20), (8, 8))]
)
def test_it_is_told_of_no_factors_that_it_was_not_trained_on(factor, told):
    network, x, steps = trained(channels=8, blocks=1, patch=2), images(1, 1, 12, 12), torch.tensor([0])
    answer, expected, other = (network(x, steps, factors(f)) for f in (factor, told, (2, 7.5)))
    assert torch.equal(answer, expected) and not torch.allclose(answer, other)


NEW = {"neighbours": 2, "acquisition": True}
TOLD = ImageAcquisition(4, 2, 5, 3.5, 1.8, 4.5, 0.004)


def told_of(acquisition: ImageAcquisition, count: int = 1) -> torch.Tensor:
    return torch.tensor([acquisition], dtype=torch.float64).expand(count, -1)


def test_weights_without_acquisition_and_neighbours_give_what_they_gave():
    """What is new starts at zero: the same bits, whatever is told and shown."""
    old = trained(channels=8, blocks=2, patch=2)
    new = ResidualDenoiser(channels=8, blocks=2, patch=2, **NEW).double().eval().requires_grad_(False)
    missing, unexpected = new.load_state_dict(old.state_dict(), strict=False)
    assert not unexpected and {name.split(".")[0] for name in missing} == {"neighbours_in", "sampling"}
    x, steps, beyond = images(2, 1, 12, 16), torch.tensor([0, 400]), images(2, 4, 12, 16)
    expected = old(x, steps, factors((4, 2), (4, 2)))
    assert torch.equal(new(x, steps, told_of(TOLD, 2), beyond), expected)
    assert torch.equal(old(x, steps, told_of(TOLD, 2), beyond), expected)


@pytest.mark.parametrize("name", ImageAcquisition._fields)
def test_everything_that_it_is_told_makes_a_difference(name):
    network, x = trained(channels=8, blocks=1, patch=2, **NEW), images(1, 1, 12, 12)
    other = TOLD._replace(**{name: 1.3 * getattr(TOLD, name)})
    answer, changed = (network.predict_noise(x, 0, told_of(told)) for told in (TOLD, other))
    assert (answer - changed).abs().max() > 1e-3 * answer.abs().max()


def test_beyond_what_training_showed_it_is_told_the_nearest():
    network, x = trained(channels=8, blocks=1, patch=2, **NEW), images(1, 1, 12, 12)
    far, nearest = ImageAcquisition(9, 20, 0.5, 30, 0.1, 17, 1.0), ImageAcquisition(8, 8, 1, 16, 0.5, 16, 0.02)
    assert torch.equal(network.predict_noise(x, 0, told_of(far)), network.predict_noise(x, 0, told_of(nearest)))


def test_each_neighbour_makes_a_difference_and_none_is_as_equal_ones():
    network, x = trained(channels=8, blocks=1, patch=2, **NEW), images(1, 1, 12, 12)
    alone = network.predict_noise(x, 0, told_of(TOLD))
    assert torch.equal(network.predict_noise(x, 0, told_of(TOLD), torch.zeros(1, 4, 12, 12).double()), alone)
    answers = [alone]
    for k in range(4):
        beyond = torch.zeros(1, 4, 12, 12, dtype=torch.float64)
        beyond[:, k, 6, 6] = 0.1
        answers.append(network.predict_noise(x, 0, told_of(TOLD), beyond))
    for k, answer in enumerate(answers):
        assert all(not torch.allclose(answer, other) for other in answers[:k])


def test_in_half_precision_faint_details_on_any_ground_are_seen(monkeypatch):
    """bfloat16 has eight digits: the first layer works without it, else the error is larger."""
    denoiser = Prior.load(find_prior("shipped")).denoiser
    details = torch.nn.functional.avg_pool2d(images(4, 1, 96, 96).float(), 2)
    x, told = torch.linspace(-0.9, 0.9, 48) + 0.04 * details, torch.tensor([ImageAcquisition(4, 4, 4, 4, 4, 4)] * 4)
    exact = denoiser.predict_noise(x, 0, told)

    def error():
        return (denoiser.predict_noise(x, 0, told).float() - exact).norm() / exact.norm()

    with torch.autocast("cpu", torch.bfloat16):
        found = error()
        monkeypatch.setattr(torch, "autocast", lambda *arguments, **options: contextlib.nullcontext())
        first_in_half = error()
    assert found < 0.9 * first_in_half < 0.1


def test_a_large_image_in_strips_is_what_it_is_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """The strips overlap by what a pixel sees."""
    denoiser = Prior.load(find_prior("shipped")).denoiser
    image = torch.rand(2, 1, 160, 24, generator=torch.Generator().manual_seed(0)) * 2 - 1
    told = torch.tensor([ImageAcquisition(4.0, 1.0)]).expand(2, -1)
    whole = denoiser.predict_noise(image, 0, told)
    monkeypatch.setattr("CTSuperResolutionLib.diffusion.networks.residual_denoiser.STRIP_PIXELS", 24 * 50)
    torch.testing.assert_close(denoiser.predict_noise(image, 0, told), whole, atol=1e-4, rtol=1e-4)


def test_a_deeper_network_begins_as_the_one_whose_weights_it_takes() -> None:
    torch.manual_seed(0)
    shallow = ResidualDenoiser(channels=8, blocks=2, neighbours=1)
    torch.nn.init.normal_(shallow.conv_out.weight)
    deep = ResidualDenoiser(channels=8, blocks=4, neighbours=1)
    deep.begin_from(shallow)
    x, beside, told = images(2, 1, 16, 16).float(), images(2, 2, 16, 16).float(), torch.full((2, 7), 2.0)
    with torch.no_grad():
        found, expected = (network.predict_noise(x, 3, told, beside) for network in (deep, shallow))
    assert expected.abs().max() > 0.1
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    deep.predict_noise(x, 3, told, beside).square().mean().backward()
    assert all(block.second.weight.grad.abs().max() > 0 for block in deep.body)  # what was added can learn


@pytest.mark.parametrize("config", [{"blocks": 5}, {"channels": 16}, {"neighbours": 2}])
def test_weights_of_another_kind_are_refused(config: dict[str, int]) -> None:
    network = ResidualDenoiser(**{"channels": 8, "blocks": 4, "neighbours": 1})
    with pytest.raises(ValueError, match=r"it has 5 blocks|its (channels|neighbours) are"):
        network.begin_from(ResidualDenoiser(**{"channels": 8, "blocks": 4, "neighbours": 1, **config}))
