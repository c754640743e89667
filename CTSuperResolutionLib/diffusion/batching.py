"""How many views the network is given at once: as many as fit into memory, and fewer where they turn out not to."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch

from CTSuperResolutionLib import machine
from CTSuperResolutionLib.diffusion.prior import Prior
from CTSuperResolutionLib.errors import JobError, LowerScale, SmallerPrior, SmallerRegion
from CTSuperResolutionLib.job.events import Progress

CPU_PIXELS = 2**16  # more at once is slower; a constant, so that free memory does not change a result's last bits
GPU_BYTES_A_PIXEL = 10_000  # activations of the paper's network, counted at 8337; smaller networks take less


def batch_size(detector_shape: tuple[int, int], device: torch.device) -> int:
    """Views of (v, u) pixels to restore at once: on a GPU a power of two that takes at most half of its free memory."""
    pixels = math.prod(detector_shape)
    if device.type != "cuda":
        return max(1, CPU_PIXELS // pixels)
    fitting = machine.available_memory(device) // 2 // (GPU_BYTES_A_PIXEL * pixels)
    return 2 ** max(0, fitting.bit_length() - 1)


class Batches:
    """Asks the prior for the noise of any number of views, in parts that fit into memory.

    A part for which memory runs out is halved and asked for again, and all later parts are as small.

    Args:
        prior: whose network is asked. size: views at once, to begin with.
        progress: advanced by one for every view that the network has seen.
    """

    def __init__(self, prior: Prior, size: int, progress: Progress) -> None:
        self.size = size
        self.prior = prior
        self._progress = progress

    def split(self, views: Sequence[int]) -> Iterator[Sequence[int]]:
        """The views in parts of the size that is known to fit when each part begins."""
        while views:
            part, views = views[: self.size], views[self.size :]
            yield part

    def predict_noise(self, images: torch.Tensor, step: int) -> torch.Tensor:
        """ε_θ(x_t, t) of images (n, v, u) at diffusion step t.

        Raises:
            JobError: memory does not hold the network's work on a single view.
        """
        parts, done = [], 0
        while done < len(images):
            part = images[done : done + self.size]
            predicted = self._try(part, step)
            if predicted is not None:
                parts.append(predicted)
                done += len(part)
                self._progress.advance(len(part))
            elif len(part) > 1:
                self.size = len(part) // 2
            else:
                size = " x ".join(map(str, part.shape[-2:]))
                raise JobError(
                    f"The memory left does not hold the prior's work on one view of {size} pixels",
                    SmallerRegion(),
                    LowerScale(),
                    SmallerPrior(),
                )
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _try(self, images: torch.Tensor, step: int) -> torch.Tensor | None:
        """The network's answer, or None where memory ran out; what the attempt held is free again on return."""
        try:
            return self.prior.predict_noise(images[:, None], step)[:, 0]
        except (RuntimeError, MemoryError) as error:
            if not _out_of_memory(error):
                raise
        if images.device.type == "cuda":
            torch.cuda.empty_cache()
        return None


def _out_of_memory(error: BaseException) -> bool:
    """CUDA's and Python's own errors, and the RuntimeError of torch's allocator for main memory."""
    text = str(error)
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(
        sign in text for sign in ("DefaultCPUAllocator", "not enough memory", "can't allocate memory")
    )
