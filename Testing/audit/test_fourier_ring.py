"""Fourier ring correlation of patches whose agreement is known."""

from __future__ import annotations

import numpy as np
import pytest

from CTSuperResolutionLib.audit.fourier_ring import ring_correlation

SIDE = 32


def white(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, (count, SIDE, SIDE))


def test_equal_patches_agree_up_to_nyquist_whatever_their_size_and_mean() -> None:
    patches = white(3, 0)
    found = ring_correlation(5 * patches + 100, patches, (1.0, 1.0))
    np.testing.assert_allclose(found.correlation, 1, atol=1e-9)
    assert found.frequencies[-1] == pytest.approx(0.5) and found.crossings(0.5) == pytest.approx([0.5] * 3)
    np.testing.assert_allclose(found.power[0], 25 * found.power[1])


def test_independent_noise_lowers_it_as_its_share_of_the_power_says() -> None:
    """Of s + n and s, white both, it is σs / √(σs² + σn²)."""
    signal = white(400, 1)
    found = ring_correlation(signal + 1.5 * white(400, 2), signal, (1.0, 1.0))
    expected = 1 / np.sqrt(1 + 1.5**2)
    assert found.correlation[:, 3:].mean() == pytest.approx(expected, abs=0.01)
    np.testing.assert_allclose(found.correlation.mean(axis=0)[3:], expected, atol=0.04)


@pytest.mark.parametrize(("spacing", "limit"), [((1.0, 1.0), 0.2), ((0.5, 0.5), 0.5), ((1.0, 0.7), 0.25)])
def test_they_agree_up_to_the_frequency_above_which_they_are_unrelated(spacing, limit) -> None:
    rows, columns = (np.fft.fftfreq(SIDE, d) for d in spacing)
    low = np.hypot(rows[:, None], columns) < limit
    first, second = (
        np.fft.ifft2(np.where(low, np.fft.fft2(white(60, 3)), np.fft.fft2(white(60, seed)))).real for seed in (4, 5)
    )
    found = ring_correlation(first, second, spacing)
    step = found.frequencies[0]
    assert np.median(found.crossings(0.5)) == pytest.approx(limit, abs=1.5 * step)
    assert found.frequencies[-1] == pytest.approx(0.5 / max(spacing), abs=step)


def test_frequencies_are_cycles_per_millimetre() -> None:
    """A wave of 8 mm along columns of half a millimetre."""
    wave = np.broadcast_to(np.sin(2 * np.pi * np.arange(SIDE) * 0.5 / 8), (1, SIDE, SIDE))
    found = ring_correlation(wave, wave, (0.5, 0.5))
    assert found.frequencies[found.power[0, 0].argmax()] == pytest.approx(1 / 8)


def test_flat_patches_agree_in_nothing() -> None:
    flat = np.full((2, SIDE, SIDE), 40.0)
    found = ring_correlation(flat, white(2, 6), (1.0, 1.0))
    assert np.all(found.crossings(0.5) == found.frequencies[0])
