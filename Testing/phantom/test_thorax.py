"""The phantom: organs where they belong, the same bits for the same seed, detail that a coarse scan loses."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import scipy.ndimage as ndi

from CTSuperResolutionLib.errors import Cancelled, JobError
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.phantom import assembly, thorax


@pytest.fixture(scope="module")
def clean():
    """The default box at 1 mm without noise."""
    return thorax(noise_hu=0.0)


def around(volume, x, y, z, half=1.0):
    """Voxels within `half` mm of a place in the patient, flat."""
    index = []
    for centre, n, d in zip((z, y, x), volume.shape, volume.spacing, strict=True):
        at = (centre / d) + (n - 1) / 2
        index.append(slice(int(np.ceil(at - half / d)), int(np.floor(at + half / d)) + 1))
    return volume.array[tuple(index)].ravel()


def digest(volume):
    return hashlib.sha256(volume.array.tobytes()).hexdigest()


@pytest.mark.parametrize(
    ("place", "low", "high"),
    [
        ((0, -90, 0), -1001, -999),  # air in front
        ((0, 90, 0), -1001, -999),  # air behind
        ((70, 57, -30), -125, -60),  # fat under the skin of the back
        ((21, 26, 0), 38, 48),  # descending aorta, left of the spine
        ((-8, -23, 25), 38, 48),  # ascending aorta, to the right and in front
        ((16, -20, -25), 33, 62),  # heart, left of the middle
        ((-4.5, 9, 45), -1001, -990),  # windpipe
        ((-50, 0, -58), 48, 68),  # liver, on the right
        ((0, 53.5, 3), 25, 40),  # spinal cord
        ((0, 36, 10.5), 68, 95),  # disc
        ((0, 34, 5), 100, 330),  # spongy bone of T7
        ((0, -58.5, 10), 60, 260),  # marrow of the breastbone
    ],
)
def test_organs_have_their_hu(clean, place, low, high):
    assert low <= around(clean, *place, half=1.5).mean() <= high


def test_lungs_and_bone_have_their_range(clean):
    lung = np.median(around(clean, -55, 0, 20, half=12))
    assert -900 < lung < -820
    spine = around(clean, 0, 36, 0, half=14)
    assert 900 < spine.max() < 1200  # compact bone, a little blurred
    ribs = clean.array[:, 60:150, 4:20]  # the right chest wall
    assert ribs.max() > 800


def test_the_patient_lies_the_right_way_round(clean):
    """Heart on the left, liver's dome on the right, windpipe at the top: a mirrored phantom would fail."""
    assert around(clean, 31, -35, -44, half=3).mean() > 0 > -500 > around(clean, -31, -35, -44, half=3).mean()
    assert around(clean, -46, -4, -55, half=2).mean() > 0 > -500 > around(clean, 46, -2, -53, half=2).mean()
    assert around(clean, -4.5, 9, 50).mean() < -900 < 0 < around(clean, 4, 4, -6).mean()


def test_grid_is_centred_and_aligned(clean):
    assert clean.shape == (128, 192, 192) and clean.array.dtype == np.float32
    assert clean.origin == (-95.5, -95.5, -63.5)
    assert clean.direction == (1, 0, 0, 0, 1, 0, 0, 0, 1)
    assert np.array_equal(clean.array, np.rint(clean.array))
    assert clean.array.min() >= -1024 and clean.array.max() <= 3071


def test_a_seed_is_a_patient():
    small = {"shape": (40, 64, 64), "spacing": 3.0}
    first, again, other = thorax(**small), thorax(**small), thorax(**small, seed=1)
    assert digest(first) == digest(again) != digest(other)
    assert abs(around(first, 21, 26, 0, 4).mean() - around(other, 21, 26, 0, 4).mean()) < 12  # the aorta stays
    lung = (slice(15, 25), slice(20, 40), slice(8, 18))
    assert np.abs(first.array[lung] - other.array[lung]).mean() > 30  # vessels do not


def test_slabs_leave_no_seams(monkeypatch):
    """Memory is bounded by painting slabs; how thick they are must not show (rounding to whole HU may flip)."""
    whole = thorax(shape=(30, 80, 80), spacing=2.0)
    monkeypatch.setattr(assembly, "SLAB_VOXELS", 7 * 80 * 80)
    pieces = thorax(shape=(30, 80, 80), spacing=2.0)
    assert np.abs(whole.array - pieces.array).max() <= 1.0
    assert np.mean(whole.array != pieces.array) < 1e-3


def test_coarse_voxels_hold_the_mean_of_fine_ones():
    """Partial volume: painting at 2 mm is close to averaging 1 mm voxels, far closer than picking one of them."""
    coarse = thorax(shape=(24, 96, 96), spacing=2.0, noise_hu=0.0).array
    fine = thorax(shape=(48, 192, 192), spacing=1.0, noise_hu=0.0).array
    mean = fine.reshape(24, 2, 96, 2, 96, 2).mean(axis=(1, 3, 5))
    error = np.sqrt(np.mean((coarse - mean) ** 2))
    picked = np.sqrt(np.mean((fine[::2, ::2, ::2] - mean) ** 2))
    assert error < 40 and error < 0.4 * picked
    assert abs(np.mean(coarse - mean)) < 2.0


def test_edges_are_not_staircases(clean):
    """The skin crosses voxels at every depth, so many values between air and tissue occur."""
    rim = clean.array[64, :, 20:172]
    between = rim[(rim > -950) & (rim < -150)]
    assert len(np.unique(np.round(between / 50))) > 12


@pytest.mark.parametrize(
    ("name", "centre", "half", "least"),
    [("vessels", (-50, 10, 5), 20, 45.0), ("trabeculae", (0, 34, 0), 7, 35.0)],
)
def test_detail_beyond_the_coarse_scan(clean, name, centre, half, least):
    """Energy above the Nyquist frequency of a 4 times coarser scan (0.125 / mm): what SR has to bring back, in HU."""
    size = 2 * half
    block = around(clean, *centre, half=half).reshape(size, size, size)
    window = np.hanning(size + 2)[1:-1]
    taper = window[:, None, None] * window[:, None] * window
    spectrum = np.abs(np.fft.fftn((block - block.mean()) * taper)) ** 2
    frequency = np.fft.fftfreq(size)
    above = np.maximum.reduce(np.meshgrid(*[np.abs(frequency)] * 3, indexing="ij")) > 0.125
    rms = np.sqrt(spectrum[above].sum() / size**3 / np.sum(taper**2))
    assert rms > least, f"{name}: {rms:.1f} HU"


def test_noise_is_as_asked_and_grainy():
    """Deviation in HU at any voxel size; neighbours in the plane are related, slices are not."""
    for spacing in (0.5, 1.0, 3.0):
        box = {"shape": (6, 96, 96), "spacing": spacing}
        noise = thorax(**box, noise_hu=20.0).array - thorax(**box, noise_hu=0.0).array
        inside = noise[:, 24:72, 24:72]  # away from air, where -1024 cuts off
        assert abs(inside.std() - 20.0) < 1.5 and abs(inside.mean()) < 1.0
        between_slices = np.corrcoef(inside[:-1].ravel(), inside[1:].ravel())[0, 1]
        assert abs(between_slices) < 0.06
        if spacing == 0.5:
            assert np.corrcoef(inside[..., :-1].ravel(), inside[..., 1:].ravel())[0, 1] > 0.3


def test_the_whole_trunk_fits_in_a_larger_box():
    whole = thorax(shape=(64, 64, 64), spacing=3.5)
    body = ndi.binary_opening(whole.array > -400)
    y, x = np.nonzero(body[24:40].any(axis=0))
    assert 195 < np.ptp(x) * 3.5 < 235 and 145 < np.ptp(y) * 3.5 < 175
    lungs, count = ndi.label(ndi.binary_erosion(whole.array < -650) & ndi.binary_fill_holes(body[32])[None])
    litres = np.bincount(lungs.ravel())[1:].max() * 3.5**3 / 1e6
    assert count >= 2 and 0.3 < litres < 2.5


def test_painting_stops_when_asked(monkeypatch):
    class Stop(Progress):
        asked = 0

        def check(self):
            self.asked += 1
            if self.asked == 3:
                raise Cancelled

    monkeypatch.setattr(assembly, "SLAB_VOXELS", 2 * 16 * 16)
    stop = Stop()
    with pytest.raises(Cancelled):
        thorax(shape=(16, 16, 16), spacing=4.0, progress=stop)
    assert stop.asked == 3


@pytest.mark.parametrize("shape", [(1, 5, 7), (3, 200, 2)])
def test_any_shape_works(shape):
    assert thorax(shape=shape, spacing=0.7).shape == shape


@pytest.mark.parametrize(
    "bad",
    [
        {"shape": (10, 10)},
        {"shape": (0, 5, 5)},
        {"spacing": 0.0},
        {"noise_hu": -1.0},
        {"seed": -1},
        {"spacing": float("nan")},
    ],
)
def test_impossible_phantoms_are_refused(bad):
    with pytest.raises(JobError, match="not possible"):
        thorax(**{"shape": (4, 4, 4), **bad})
