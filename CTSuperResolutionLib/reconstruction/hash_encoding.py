"""Multiresolution hash encoding (Müller et al. 2022) in plain torch: features of places from coarse and fine grids."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

PRIMES = (1, 2_654_435_761, 805_459_861)  # of the hash, as its authors have them
COARSEST = 8  # cells along a side of the first grid
STARTING = 1e-4  # features start within this of zero


class HashEncoding(torch.nn.Module):
    """Places in the unit cube to features, each a trilinear mean of learned values at the corners of a grid's cell.

    Grids that have more corners than a table has rows share rows by a hash.

    Args:
        levels: grids. finest: cells along a side of the last one. rows: of a table, a power of two. features: of a row.
    """

    def __init__(self, levels: int, finest: int, rows: int, features: int = 2) -> None:
        super().__init__()
        growth = (finest / COARSEST) ** (1 / max(levels - 1, 1))
        cells = [round(COARSEST * growth**level) for level in range(levels)]
        sizes = [min((n + 1) ** 3, rows) for n in cells]
        self.table = torch.nn.Parameter(torch.empty(sum(sizes), features).uniform_(-STARTING, STARTING))
        self.width = levels * features
        self.cells: torch.Tensor
        self.register_buffer("cells", torch.tensor(cells)[:, None])
        self._sizes = sizes

    def forward(self, places: torch.Tensor) -> torch.Tensor:
        """Features (n, levels x features) of places (n, 3) in [0, 1]."""
        levels, n = len(self._sizes), len(places)
        scaled = places[None] * self.cells[..., None]  # (levels, n, 3)
        low = torch.minimum(scaled.long(), self.cells[..., None] - 1)
        share = scaled - low
        weights = torch.stack([1 - share, share])  # (2, levels, n, 3)
        corners = [(i, j, k) for i in (0, 1) for j in (0, 1) for k in (0, 1)]
        products = torch.stack(
            [weights[i, ..., 0] * weights[j, ..., 1] * weights[k, ..., 2] for i, j, k in corners], -1
        )
        rows = torch.empty((levels, n, 8), dtype=torch.long, device=places.device)
        first = 0
        for level, size in enumerate(self._sizes):
            side = int(self.cells[level]) + 1
            x, y, z = low[level].unbind(-1)
            dense = side**3 <= size
            # Parts of the row's number, for the lower and the upper corner along each axis.
            parts = [
                (a * p, (a + 1) * p) for a, p in zip((x, y, z), (1, side, side**2) if dense else PRIMES, strict=True)
            ]
            for corner, (i, j, k) in enumerate(corners):
                if dense:
                    rows[level, :, corner] = parts[0][i] + parts[1][j] + parts[2][k] + first
                else:
                    rows[level, :, corner] = ((parts[0][i] ^ parts[1][j] ^ parts[2][k]) & (size - 1)) + first
            first += size
        found = _WeightedSum.apply(self.table, rows.view(-1, 8), products.view(-1, 8))
        return found.view(levels, n, -1).permute(1, 0, 2).reshape(n, self.width)


class _WeightedSum(torch.autograd.Function):
    """Σ weights x rows of a table: (rows, f), (n, 8), (n, 8) -> (n, f). The gradient is to the table alone.

    Torch's own backward sorts the rows, which takes most of a step; counting them does not.
    """

    @staticmethod
    def forward(ctx: Any, table: torch.Tensor, rows: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(rows, weights)
        ctx.size = len(table)
        return F.embedding_bag(rows, table, per_sample_weights=weights.to(table.dtype), mode="sum")

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        rows, weights = ctx.saved_tensors
        flat = rows.flatten()
        columns = [
            torch.bincount(flat, weights=(weights * column[:, None]).flatten(), minlength=ctx.size)
            for column in gradient.unbind(1)
        ]
        return torch.stack(columns, 1).to(gradient.dtype), None, None
