"""Convolutions of 3 × 3 with what follows them in a block, without gradients: on a CPU in one pass over the features.

Adding and cutting off at zero read and write all features, as a convolution does: a fifth of a block's time and more.
oneDNN does them where the convolution's result is at hand. Its operators are those of torch's own compiler and no
public ones, so they are tried once, and left alone where they are missing or give something else.
"""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F

ONES = [1, 1]  # padding, stride and dilation
TOLERANCE = 1e-5


def convolve_relu(features: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """relu(w ∗ x + b) of features (n, channels, y, x)."""
    if not _fuses(features):
        return F.conv2d(features, weight, bias, padding=1).relu_()
    return _relu_of(features, weight, bias)


def convolve_onto(
    to: torch.Tensor, features: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    """y + w ∗ x + b, in the place of y."""
    if not _fuses(features):
        return to.add_(F.conv2d(features, weight, bias, padding=1))
    return _sum_of(to, features, weight, bias)


def _fuses(features: torch.Tensor) -> bool:
    return features.device.type == "cpu" and features.dtype == torch.float32 and _onednn_fuses()


def _relu_of(features: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    laid_out = _laid_out(weight, features)
    found: torch.Tensor = torch.ops.mkldnn._convolution_pointwise(
        features, laid_out, bias, ONES, ONES, ONES, 1, "relu", [], ""
    )
    return found


def _sum_of(to: torch.Tensor, features: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    laid_out = _laid_out(weight, features)
    found: torch.Tensor = torch.ops.mkldnn._convolution_pointwise_.binary(
        to, features, laid_out, bias, ONES, ONES, ONES, 1, "add", 1.0, None, [], ""
    )
    return found


def _laid_out(weight: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    """Weights in the order in which oneDNN reads them for features of that size."""
    found: torch.Tensor = torch.ops.mkldnn._reorder_convolution_weight(
        weight, ONES, ONES, ONES, 1, list(features.shape)
    )
    return found


@cache
def _onednn_fuses() -> bool:
    """Whether torch has these operators, and they do what they are said to."""
    if not torch.backends.mkldnn.is_available():
        return False
    generator = torch.Generator().manual_seed(0)
    features, to = (
        torch.randn(2, 8, 9, 11, generator=generator).contiguous(memory_format=torch.channels_last) for _ in range(2)
    )
    weight, bias = torch.randn(8, 8, 3, 3, generator=generator), torch.randn(8, generator=generator)
    expected = F.conv2d(features, weight, bias, padding=1)
    try:
        cut, summed = _relu_of(features, weight, bias), _sum_of(to.clone(), features, weight, bias)
    except (AttributeError, RuntimeError, TypeError, ValueError):
        return False
    return torch.allclose(cut, expected.relu(), atol=TOLERANCE) and torch.allclose(
        summed, to + expected, atol=TOLERANCE
    )
