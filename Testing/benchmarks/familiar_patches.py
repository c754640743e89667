"""How much of CTs looks like nothing in other CTs, and of what is no CT: familiar_patches.py GROUP … [--write FOLDER]

    python Testing/benchmarks/familiar_patches.py chest.nrrd head_soft.nrrd,head_bone.nrrd … [--write FOLDER]

A GROUP is the CTs of one body, joined by commas. Every CT is compared with those of the other bodies: as it is, with
its slices averaged by four, with noise; and with values that are no HU: inverted, 1024 too high, halved, divided by
ten. With --write nothing is compared: the patches of all groups go into a prior's folder, with those of the generated
chests that the shipped priors were trained on.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from CTSuperResolutionLib.phantom import thorax
from CTSuperResolutionLib.trust.familiar_patches import FamiliarPatches
from CTSuperResolutionLib.volume.reading import read_volume
from CTSuperResolutionLib.volume.volume import Volume

PHANTOMS = (11, 12, 13, 14, 17, 18, 20)  # seeds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", nargs="+")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    groups = [[Path(name) for name in group.split(",")] for group in options.groups]
    known = [FamiliarPatches.of(read_volume(path) for path in group) for group in groups]
    phantoms = FamiliarPatches.of(thorax(seed=seed) for seed in PHANTOMS)
    if options.write:
        of_all = FamiliarPatches.joined([phantoms, *known])
        of_all.save(options.write)
        print(f"{len(of_all.features)} patches")
        return
    for k, group in enumerate(groups):
        others = FamiliarPatches.joined([phantoms, *known[:k], *known[k + 1 :]])
        for path in group:
            scan = read_volume(path)
            found = {name: others.unfamiliar_percent(changed) for name, changed in variants(scan).items()}
            print(path.stem, *(f"{name} {percent:.1f}" for name, percent in found.items() if percent is not None))


def variants(scan: Volume) -> dict[str, Volume]:
    """A scan as it is, and changed."""
    hu, rng = scan.array, np.random.default_rng(0)
    kept = len(hu) // 4 * 4
    thick = hu[:kept].reshape(-1, 4, *hu.shape[1:]).mean(axis=1)
    dz, dy, dx = scan.spacing
    return {
        "as it is": scan,
        "thick": replace(scan, array=thick, spacing=(4 * dz, dy, dx), valid=None),
        "noise 30": replace(scan, array=hu + rng.normal(0, 30, hu.shape).astype(np.float32)),
        "noise 100": replace(scan, array=hu + rng.normal(0, 100, hu.shape).astype(np.float32)),
        "inverted": replace(scan, array=-hu),
        "1024 too high": replace(scan, array=hu + 1024),
        "halved": replace(scan, array=hu / 2),
        "a tenth": replace(scan, array=hu / 10),
    }


if __name__ == "__main__":
    main()
