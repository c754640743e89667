"""Crops on the detector's grid, and sources drawn at their shares."""

import numpy as np
import pytest

from CTSuperResolutionLib.diffusion.networks.image_acquisition import ImageAcquisition
from CTSuperResolutionLib.diffusion.training.examples import Example, Mixture, cut, stacked


def coded(rows: int, columns: int) -> np.ndarray:
    """An image whose values say where they are."""
    return np.arange(rows)[:, None] * 1000.0 + np.arange(columns)


@pytest.mark.parametrize("grid", [(1, 1), (4, 8), (1, 3)])
def test_a_crop_is_the_same_square_of_all_images_on_the_grid(grid):
    image, rng = coded(24, 34), np.random.default_rng(0)
    corners = set()
    for _ in range(2500):
        one, other = cut([image, -2 * image], rng, 16, grid)
        row, column = divmod(int(one[0, 0]), 1000)
        np.testing.assert_array_equal(one, image[row : row + 16, column : column + 16])
        np.testing.assert_array_equal(other, -2 * one)
        assert one.dtype == np.float32
        corners.add((row, column))
    assert corners == {(r, c) for r in range(0, 9, grid[0]) for c in range(0, 19, grid[1])}


def test_an_image_smaller_than_the_crop_is_mirrored():
    image = coded(5, 40)
    (crop,) = cut([image], np.random.default_rng(0), 16, (1, 40))
    rows = [0, 1, 2, 3, 4, 4, 3, 2, 1, 0, 0, 1, 2, 3, 4, 4]
    np.testing.assert_array_equal(crop, image[rows, :16])


TOLD = ImageAcquisition(8, 2, 3, 7.5, 1.5, 2.5, 0.01)


class Constant:
    """Always the same picture: one bright pixel in the start, two in the truth."""

    def __init__(self, level: float) -> None:
        self.start, self.truth = np.full((4, 4), level, np.float32), np.full((4, 4), level, np.float32)
        self.start[0, 1] += 0.1
        self.truth[0, 1] += 0.4
        self.truth[2, 0] += 0.4
        self.beyond = np.stack([k * (self.truth - level) for k in (-2, -1, 1, 2)])

    def draw(self, rng: np.random.Generator, crop: int) -> Example:
        return Example(self.start, self.truth, float(np.mean((self.start - self.truth) ** 2)), TOLD, self.beyond)


def test_start_and_truth_are_turned_and_scaled_alike():
    """All eight ways to lay a square, and a gain and an offset common to both, half of the time."""
    source, rng = Constant(0.2), np.random.default_rng(0)
    ways = [(k, turn) for k in range(4) for turn in (np.asarray, np.transpose)]
    laid = [tuple(turn(np.rot90(image, k)) for image in (source.start, source.truth)) for k, turn in ways]
    found, gains, orders = set(), [], set()
    for start, truth, spread, told, beyond in (Mixture([(1.0, source)]).draw(rng, 4) for _ in range(400)):
        gain = float((truth.sum() - start.sum()) / (source.truth.sum() - source.start.sum()))
        offset = float(np.median(start)) - gain * 0.2
        fits = [
            k
            for k, (s, t) in enumerate(laid)
            if np.allclose(start, gain * s + offset, atol=1e-5) and np.allclose(truth, gain * t + offset, atol=1e-5)
        ]
        assert len(fits) == 1
        k, turn = ways[fits[0]]
        on_its_side = (k % 2 == 1) != (turn is np.transpose)
        expected = ImageAcquisition(2, 8, 3, 1.5, 7.5, 2.5, 0.01) if on_its_side else TOLD
        assert told == pytest.approx(expected._replace(noise=0.01 * abs(gain)), rel=1e-3)
        # Neighbours have the gain but not the offset, and come in either order.
        assert np.allclose(beyond[::-1], -beyond) and np.allclose(beyond[3], 2 * beyond[2])
        assert np.allclose(np.abs(beyond[3]), 2 * np.abs(truth - gain * 0.2 - offset), atol=1e-4)
        orders.add(bool(beyond[3].sum() * gain > 0))
        assert np.mean((start - truth) ** 2) == pytest.approx(spread, rel=1e-3)
        assert np.isclose(gain, 1) or 0.5 <= abs(gain) <= 1.3
        assert abs(offset) <= 0.3 * max(0, 1 - abs(gain)) + 1e-5
        found.add(fits[0])
        gains.append(gain)
    assert found == set(range(8)) and orders == {False, True}
    assert np.mean(np.isclose(gains, 1, atol=1e-4)) == pytest.approx(0.5, abs=0.1)
    assert np.mean(np.array(gains) < 0) == pytest.approx(1 / 8, abs=0.07)


def test_sources_are_drawn_at_their_shares():
    levels = [-0.9, 0.0, 0.9]
    drawn = []

    class Noted(Constant):
        def draw(self, rng: np.random.Generator, crop: int) -> Example:
            drawn.append(float(self.start[3, 3]))
            return super().draw(rng, crop)

    mixture = Mixture([(share, Noted(level)) for share, level in zip((3, 0, 1), levels, strict=True)])
    rng = np.random.default_rng(0)
    for _ in range(2000):
        mixture.draw(rng, 4)
    shares = [np.mean(np.isclose(drawn, level)) for level in levels]
    assert shares == pytest.approx([0.75, 0, 0.25], abs=0.04)


def test_a_stack_has_zeros_for_neighbours_that_are_not_there():
    example = Constant(0.1).draw(np.random.default_rng(0), 4)
    start, truth, acquisitions, neighbours = stacked([example, example._replace(neighbours=None)])
    assert start.shape == truth.shape == (2, 1, 4, 4) and neighbours.shape == (2, 4, 4, 4)
    np.testing.assert_array_equal(start[1, 0], example.start)
    np.testing.assert_allclose(acquisitions, [TOLD, TOLD], rtol=1e-6)
    np.testing.assert_array_equal(neighbours[0], example.neighbours)
    assert not neighbours[1].any()
