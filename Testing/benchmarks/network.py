"""The prior's network by the CPU library and by torch alone, in turn: python Testing/benchmarks/network.py [PRIOR]

Prints the least of seven times for images of several sizes, and by how much a restored image differs at most.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch

from CTSuperResolutionLib.diffusion.networks import residual_denoiser
from CTSuperResolutionLib.diffusion.networks.native_blocks import can_be_native
from CTSuperResolutionLib.diffusion.prior import Prior
from CTSuperResolutionLib.kernels.cpu_library import instruction_set

SHAPES = (1, 64, 64), (8, 64, 64), (1, 192, 192), (2, 192, 192), (1, 512, 512), (1, 1024, 1024)  # images, rows, columns
TOLD = (4.0, 4.0, 1.0, 4.0, 4.0, 1.0, 0.002)
REPEATS, HU = 7, 4095 / 2  # of images in [−1, 1]


def main() -> None:
    prior = Prior.load(Path(sys.argv[1] if len(sys.argv) > 1 else "Resources/Prior"))
    print(f"{torch.get_num_threads()} threads, {instruction_set()}, torch {torch.__version__}")
    print("images            library ms   torch ms   ratio   largest difference HU")
    for shape in SHAPES:
        images = 0.1 * torch.randn(shape[0], 1, *shape[1:])
        beside, told = 0.01 * torch.randn(shape[0], 4, *shape[1:]), torch.tensor([TOLD]).expand(shape[0], -1)
        times, restored = [float("inf")] * 2, [images, images]
        for _ in range(REPEATS):
            for way, choose in enumerate((can_be_native, _never)):
                residual_denoiser.can_be_native = choose  # type: ignore[attr-defined]
                begun = time.perf_counter()
                noise = prior.denoiser.predict_noise(images, 0, told, beside)
                times[way] = min(times[way], time.perf_counter() - begun)
                restored[way] = prior.schedule.predict_x0(images, noise, 0)
        native, plain = (1e3 * seconds for seconds in times)
        differs = HU * float((restored[0] - restored[1]).abs().max())
        print(f"{shape!s:18}{native:10.1f} {plain:10.1f} {plain / native:7.2f}   {differs:.4f}")


def _never(blocks: object, features: object) -> bool:
    return False


if __name__ == "__main__":
    main()
