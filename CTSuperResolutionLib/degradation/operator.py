"""Degradation operator A of a scanner, blur and sampling: a separable linear map, its A† and its singular values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch

from CTSuperResolutionLib.degradation.kernels import lanczos_matrix, mean_matrix
from CTSuperResolutionLib.degradation.separable import SLICES_AT_ONCE, apply_along_axes, apply_by_slices
from CTSuperResolutionLib.job.events import Progress


@dataclass(frozen=True, eq=False)
class AxisDegradation:
    """Blur and sampling along one axis: ``matrix`` W (coarse, fine) in float64, rows summing to one.

    W = U diag(s) Vᵀ. Directions whose singular value is below ``cutoff`` of the largest are treated as not measured:
    they belong to the null-space, where an inverse would only magnify noise.
    """

    matrix: np.ndarray
    cutoff: float = 0.02

    @cached_property
    def svd(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(U, s, Vᵀ) of the measured directions only: shapes (coarse, k), (k,), (k, fine)."""
        left, values, right = np.linalg.svd(self.matrix, full_matrices=False)
        measured = values > self.cutoff * values[0]
        return left[:, measured], values[measured], right[measured]

    @cached_property
    def smooth_inverse(self) -> np.ndarray:
        """R Wᵀ (W R Wᵀ + ε)⁻¹, (fine, coarse): of all fine rows whose degradation is y the one with least roughness.

        R⁻¹ = DᵀD + ε, D the first difference. The pseudo-inverse, which is least in energy, is a sum of the rows of W:
        where slices hardly overlap it leaves a step between them.
        """
        n = self.matrix.shape[1]
        difference = np.diff(np.eye(n), axis=0)
        covariance = np.linalg.inv(1e-3 * np.eye(n) + difference.T @ difference)
        spread = covariance @ self.matrix.T
        gram = self.matrix @ spread
        return spread @ np.linalg.inv(gram + 1e-4 * np.linalg.eigvalsh(gram)[-1] * np.eye(len(gram)))

    @cached_property
    def pseudo_inverse(self) -> np.ndarray:
        """W† = V diag(1/s) Uᵀ, (fine, coarse)."""
        left, values, right = self.svd
        return right.T / values @ left.T


@dataclass(frozen=True, eq=False)
class Degradation:
    """A = W₁ ⊗ W₂ ⊗ …, one :class:`AxisDegradation` for each of the last axes of an array, None for an untouched one.

    One object serves the simulation of LR volumes, the sampler's A and A† on projections, and the final consistency
    with the scan, so that degrading a result gives the scan back.
    """

    axes: tuple[AxisDegradation | None, ...]

    @property
    def factors(self) -> tuple[float, ...]:
        """By how much each axis is coarser than the fine array's."""
        return tuple(1.0 if a is None else a.matrix.shape[1] / a.matrix.shape[0] for a in self.axes)

    def A(self, fine: torch.Tensor, progress: Progress | None = None) -> torch.Tensor:
        """A x: the coarse array. ``progress`` advances by one for each axis that is not left alone."""
        return apply_along_axes([None if a is None else a.matrix for a in self.axes], fine, progress)

    def A_by_slices(self, fine: torch.Tensor) -> torch.Tensor:
        """A x of a volume of any type, float32: no more of it than some slices at a time."""
        first, *others = self.axes
        beside, groups = Degradation((None, *others)), fine.split(SLICES_AT_ONCE)
        return Degradation((first, None, None)).A(torch.cat([beside.A(some.float()) for some in groups]))

    def A_dagger(self, coarse: torch.Tensor) -> torch.Tensor:
        """A† y: the smallest fine array whose degradation is y."""
        return apply_along_axes([None if a is None else a.pseudo_inverse for a in self.axes], coarse)

    def A_dagger_slices(self, coarse: torch.Tensor) -> Iterator[tuple[slice, torch.Tensor]]:
        """As :meth:`A_dagger`, some slices of the fine array at a time: which, and they."""
        return apply_by_slices([None if a is None else a.pseudo_inverse for a in self.axes], coarse)

    def damped(self, coarse: torch.Tensor, damping: float) -> torch.Tensor:
        """A coarse array without what would magnify its noise if a fine one had to have it as its degradation.

        Damped by s²/(s² + λ²) in A's singular directions (Tikhonov), s relative to the largest and over all axes
        together: λ = ``damping`` bounds the gain of every direction by 1/(2λ), where a corner of the spectrum that is
        weak along three axes would otherwise be raised a hundredfold.
        """
        parts = [None if a is None else a.svd for a in self.axes]
        gains = torch.ones((), dtype=coarse.dtype, device=coarse.device)
        for part, size in zip(parts, coarse.shape[-len(parts) :], strict=True):
            along = np.ones(size) if part is None else part[1] / part[1][0]
            gains = gains[..., None] * torch.as_tensor(along).to(coarse)
        spectrum = apply_along_axes([p and p[0].T for p in parts], coarse)
        return apply_along_axes([p and p[0] for p in parts], spectrum * gains**2 / (gains**2 + damping**2))

    def A_smooth(self, coarse: torch.Tensor) -> torch.Tensor:
        """A⁺ y: the least rough fine array whose degradation is y, see :attr:`AxisDegradation.smooth_inverse`."""
        return apply_along_axes(self._smooth_inverses, coarse)

    def add_A_smooth(self, fine: torch.Tensor, coarse: torch.Tensor, progress: Progress | None = None) -> torch.Tensor:
        """x + A⁺ y in place of x, slice by slice. ``progress`` advances by one in all."""
        for some, smooth in apply_by_slices(self._smooth_inverses, coarse, progress):
            fine[some] += smooth
        return fine

    @property
    def _smooth_inverses(self) -> list[np.ndarray | None]:
        return [None if a is None else a.smooth_inverse for a in self.axes]

    def enforce(self, fine: torch.Tensor, coarse: torch.Tensor) -> torch.Tensor:
        """x + A†(y − A x): the nearest array to x whose degradation is y."""
        return fine + self.A_dagger(coarse - self.A(fine))


def make_degradation(
    shape: Sequence[int], scale: Sequence[int], *, kernel: str = "lanczos", blur: float | Sequence[float] = 1.0
) -> Degradation:
    """The degradation of the last axes of a fine array.

    Args:
        shape: sizes of the fine axes; each a multiple of its factor.
        scale: whole factor of each axis. An axis of factor 1 is left alone: neither sampled nor blurred.
        kernel: "lanczos": Gaussian blur, then a Lanczos-5 windowed sinc (the paper's data script);
            "mean": mean over blocks of ``scale`` samples (the paper's A), where ``blur`` has no meaning.
        blur: σ of the Gaussian, in fine samples; one for all axes or one for each.
    """
    blurs = [blur] * len(scale) if isinstance(blur, int | float) else blur
    axes = (None if s == 1 else _axis(n, s, kernel, float(b)) for n, s, b in zip(shape, scale, blurs, strict=True))
    return Degradation(tuple(axes))


def assumed_blur(blur: float, scale: Sequence[int]) -> tuple[float, ...]:
    """σ per axis that a scan is taken to have, in fine samples: ``blur``, but at most a quarter of the axis's factor.

    A Gaussian wider than that leaves next to nothing at the coarse grid's Nyquist frequency to sharpen but noise.
    """
    return tuple(min(blur, s / 4) for s in scale)


@lru_cache(maxsize=32)
def _axis(size: int, scale: int, kernel: str, blur: float) -> AxisDegradation:
    if size % scale:
        raise ValueError(f"{size} samples cannot be sampled in blocks of {scale}")
    matrix = mean_matrix(size, scale) if kernel == "mean" else lanczos_matrix(size, scale, blur)
    return AxisDegradation(matrix)
