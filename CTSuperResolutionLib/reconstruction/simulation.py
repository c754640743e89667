"""Simulated scan of a CT: few views, photons that are counted, and noise of the electronics."""

from __future__ import annotations

import numpy as np
import torch

from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.projection.projector import Projector
from CTSuperResolutionLib.reconstruction.attenuation import WATER_PER_MM, relative_to_water
from CTSuperResolutionLib.reconstruction.projections import Projections, VolumePlace
from CTSuperResolutionLib.reconstruction.simulated_scan import SimulatedScan
from CTSuperResolutionLib.volume.volume import Volume

FEWEST_COUNTS = 0.5  # a pixel that caught nothing is taken for half a photon: its logarithm has to be a number


def simulate(ct: Volume, scan: SimulatedScan, progress: Progress | None = None) -> Projections:
    """Scan a CT: p = −ln(N / I0), N = Poisson(I0 exp(−A μ)) + electronics (e.g. La Rivière, Med. Phys. 32, 2005).

    The volume is the function that the projector interpolates between its voxels; a reconstruction on the same grid
    knows that, which no real one does.

    Args:
        ct: HU, (z, y, x). scan: how. progress: advanced by one a view.

    Raises:
        JobError: the volume reaches too near the source.
    """
    place = VolumePlace.of(ct)
    geometry = scan.geometry(place.grid)
    relative = torch.from_numpy(relative_to_water(ct.array))
    with torch.no_grad():
        water = Projector(place.grid, geometry).forward(relative, progress=progress).numpy()
    integrals = water.astype(np.float64) * WATER_PER_MM
    notes: list[str] = []
    if scan.photons:
        rng = np.random.default_rng(scan.seed)
        counts = rng.poisson(scan.photons * np.exp(-integrals)) + rng.normal(0, scan.electronic, integrals.shape)
        starved = counts < FEWEST_COUNTS
        if starved.any():
            notes.append(f"{100 * starved.mean():.2g} % of the pixels caught no photon.")
        integrals = -np.log(np.maximum(counts, FEWEST_COUNTS) / scan.photons)
    return Projections(integrals.astype(np.float32), geometry, place, WATER_PER_MM, tuple(notes))
