"""Task transfer functions of discs whose blur is known."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage as ndi

from CTSuperResolutionLib.quantification.task_transfer import task_transfer

RADIUS = 6.0
FINER = 8


def disc(sigma: float, spacing: tuple[float, float], contrast: float = -900.0, noise: float = 0.0) -> np.ndarray:
    """A disc beside the middle of 40 mm, antialiased by fine pixels, under a Gaussian blur of so many mm."""
    sides = [FINER * round(40 / d) for d in spacing]
    rows, columns = ((np.arange(n) + 0.5) * d / FINER for n, d in zip(sides, spacing, strict=True))
    inside = np.hypot(rows[:, None] - 20.3, columns - 19.6) < RADIUS
    blurred = ndi.gaussian_filter(inside.astype(float), [sigma * FINER / d for d in spacing])
    shape = sides[0] // FINER, FINER, sides[1] // FINER, FINER
    image = 80 + contrast * blurred.reshape(shape).mean(axis=(1, 3))
    return image + np.random.default_rng(0).normal(0, noise, image.shape)


@pytest.mark.parametrize("spacing", [(0.5, 0.5), (0.6, 0.45)])
@pytest.mark.parametrize("sigma", [0.5, 0.8, 1.2])
def test_a_gaussian_blur_has_its_own_f50_and_f10(sigma, spacing) -> None:
    """T(f) = exp(−2π²σ²f²) times that of a pixel, sinc(f d), by which the pixels of a scanner blur as well."""
    found = task_transfer(disc(sigma, spacing), (20 / spacing[0], 20 / spacing[1]), RADIUS, spacing)
    assert found.contrast == pytest.approx(-900, rel=0.02)
    assert found.centre == pytest.approx((20.3 / spacing[0] - 0.5, 19.6 / spacing[1] - 0.5), abs=0.05)
    for value in (0.5, 0.1):
        frequencies = np.linspace(0.01, 1.0, 10_000)
        pixel = np.sinc(frequencies * spacing[0]) * 0.5 + np.sinc(frequencies * spacing[1]) * 0.5
        expected = frequencies[np.argmax(np.exp(-2 * (np.pi * sigma * frequencies) ** 2) * pixel < value)]
        assert found.frequency_at(value) == pytest.approx(expected, rel=0.06)


def test_its_contrast_may_have_either_sign_and_its_noise_may_be_that_of_a_scan() -> None:
    clean, noisy = (
        task_transfer(disc(0.8, (0.5, 0.5), 300.0, noise), (40, 40), RADIUS, (0.5, 0.5)) for noise in (0.0, 15.0)
    )
    assert clean.contrast == pytest.approx(300, rel=0.02)
    assert noisy.frequency_at(0.5) == pytest.approx(clean.frequency_at(0.5), rel=0.1)


def test_where_there_is_no_disc_there_is_no_function() -> None:
    assert task_transfer(np.full((80, 80), 40.0), (40, 40), RADIUS, (0.5, 0.5)) is None
    assert task_transfer(disc(0.8, (0.5, 0.5)), (12, 40), RADIUS, (0.5, 0.5)) is None  # too near the end
    assert task_transfer(disc(0.8, (4.0, 4.0)), (5, 5), RADIUS, (4.0, 4.0)) is None


def test_a_level_that_is_never_reached_has_no_frequency() -> None:
    assert task_transfer(disc(0.2, (0.5, 0.5)), (40, 40), RADIUS, (0.5, 0.5)).frequency_at(0.01) is None
