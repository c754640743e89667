"""Operation counts: the least arithmetic and memory traffic that rasterizing or voxelizing a field takes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from CTSuperResolutionLib.bench.cases import BenchmarkCase
from CTSuperResolutionLib.bench.footprints import Footprints
from CTSuperResolutionLib.bench.roofline import Rates

# Operations (an addition, product, comparison or root each count one) of a sample inside a Gaussian's support, as
# CUDAKernels/cpu/lines.h has them. Both ways: its place t on the line (1), the squares (2), 2^-x (15: sign and lower
# bound 2, rounding 3, a polynomial of degree five 10). A GPU's special function unit gives 2^-x in one instruction, in
# the time of four to eight fused multiply-adds, so 15 is right for it as well.
EXPONENTIAL = 15
FORWARD_SAMPLE = 3 + EXPONENTIAL + 4  # less the floor, not below zero, times the height, added to the array
BACKWARD_SAMPLE = 3 + EXPONENTIAL + 10  # inside or not, the weight, and the sums of value (3), 1, t (2) and t² (2)

# Operations of the mathematics of one Gaussian, (forward, backward), as counted by instantiating
# CUDAKernels/gaussian.h with a type that counts them (Testing/bench/count_operations.cpp).
GAUSSIAN = {"parallel": (172, 377), "cone": (187, 502), None: (129, 322)}
PARAMETERS = 3 + 3 + 4 + 1
FLOAT = 4  # bytes


@dataclass(frozen=True)
class OperationCounts:
    """Operations and bytes of one rendering of a field and of its gradients.

    Attributes:
        samples: of the array, summed over the Gaussians whose support they lie in.
        flops: operations, "forward" and "backward".
        bytes: read or written, each number once, "forward" and "backward".
    """

    samples: int
    flops: dict[str, int]
    bytes: dict[str, int]

    @classmethod
    def of(cls, case: BenchmarkCase, footprints: Footprints) -> OperationCounts:
        """Of a case's field, and of the gradients to it; Gaussians outside the array cost their parameters."""
        samples, near = footprints.samples(), footprints.touching
        forward, backward = GAUSSIAN[case.beam]
        parameters = FLOAT * PARAMETERS * case.gaussians
        array = FLOAT * math.prod(footprints.shape)
        return cls(
            samples=samples,
            flops={
                "forward": FORWARD_SAMPLE * samples + forward * near,
                "backward": BACKWARD_SAMPLE * samples + backward * near,
            },
            bytes={"forward": parameters + array, "backward": 2 * parameters + array},
        )

    def shares(self, way: str, milliseconds: float, rates: Rates) -> tuple[float, float]:
        """Shares of a device's bandwidth and arithmetic rate that were reached, one way, in so long a time."""
        seconds = milliseconds / 1e3
        return self.bytes[way] / seconds / rates.bandwidth, self.flops[way] / seconds / rates.flops
