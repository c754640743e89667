"""Batched denoiser: the prior's noise of any number of images, as many at once as fit into memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch

from CTSuperResolutionLib import machine
from CTSuperResolutionLib.diffusion.noise_schedule import NoiseSchedule
from CTSuperResolutionLib.diffusion.prior import Prior
from CTSuperResolutionLib.errors import JobError, LowerScale, SmallerPrior, SmallerRegion
from CTSuperResolutionLib.job.events import Progress

CPU_PIXELS = 2**16  # more at once is slower; a constant, so that free memory does not change a result's last bits
GPU_BYTES_A_PIXEL = 10_000  # activations of the paper's network, counted at 8337; smaller networks take less


def batch_size(image_shape: Sequence[int], device: torch.device) -> int:
    """Images of (v, u) pixels to denoise at once: on a GPU a power of two that takes at most half of free memory."""
    pixels = math.prod(image_shape)
    if device.type != "cuda":
        return max(1, CPU_PIXELS // pixels)
    fitting = machine.available_memory(device) // 2 // (GPU_BYTES_A_PIXEL * pixels)
    return 2 ** max(0, fitting.bit_length() - 1)


class BatchedDenoiser:
    """Predicts the noise of any number of images, in batches that fit into memory.

    A batch for which memory runs out is halved and tried again, and all later batches are as small.

    Args:
        prior: predicts the noise. size: images at once, to begin with.
        progress: advanced by one for every image that the network has seen.
    """

    def __init__(self, prior: Prior, size: int, progress: Progress) -> None:
        self.size = size
        self._prior = prior
        self._progress = progress

    @property
    def schedule(self) -> NoiseSchedule:
        """The noise schedule of the prior."""
        return self._prior.schedule

    def split(self, views: Sequence[int]) -> Iterator[list[int]]:
        """The views in batches of the size that is known to fit when each batch begins."""
        left = list(views)
        while left:
            batch, left = left[: self.size], left[self.size :]
            yield batch

    def predict_noise(self, images: torch.Tensor, step: int, neighbours: torch.Tensor | None = None) -> torch.Tensor:
        """ε_θ(x_t, t) of images (n, v, u) at diffusion step t; ``neighbours`` as those of the prior.

        Raises:
            JobError: memory does not hold the network's work on a single view.
        """
        predictions, done = [], 0
        while done < len(images):
            batch = images[done : done + self.size]
            beside = None if neighbours is None else neighbours[done : done + self.size]
            predicted = self._try(batch, step, beside)
            if predicted is not None:
                predictions.append(predicted)
                done += len(batch)
                self._progress.advance(len(batch))
            elif len(batch) > 1:
                self.size = len(batch) // 2
            else:
                size = " x ".join(map(str, batch.shape[-2:]))
                raise JobError(
                    f"The memory left does not hold the prior's work on one view of {size} pixels",
                    SmallerRegion(),
                    LowerScale(),
                    SmallerPrior(),
                )
        return predictions[0] if len(predictions) == 1 else torch.cat(predictions)

    def _try(self, images: torch.Tensor, step: int, neighbours: torch.Tensor | None) -> torch.Tensor | None:
        """The predicted noise, or None where memory ran out; what the attempt held is free again on return."""
        try:
            return self._prior.predict_noise(images[:, None], step, neighbours)[:, 0]
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
