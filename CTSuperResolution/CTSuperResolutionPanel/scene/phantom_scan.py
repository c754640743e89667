"""Thorax phantom as a coarse scan sees it. Without slicer, for it is generated in a process of its own, too:

python -m CTSuperResolutionPanel.scene.phantom_scan OUT.npz SLICES ROWS COLUMNS SPACING
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

FINER, BLUR = 2, 0.5
"""The phantom is made so much finer, blurred by a Gaussian of so many of its voxels, and sampled: as by a scanner."""

SHAPE, SPACING = (32, 48, 48), 4.0
"""Of the sample that the module offers: voxels (z, y, x), and mm."""


def thorax_scan(shape: tuple[int, int, int] = SHAPE, spacing: float = SPACING) -> tuple[np.ndarray, np.ndarray]:
    """A coarse scan of the library's thorax phantom.

    Args:
        shape: voxels (z, y, x).
        spacing: mm.

    Returns:
        HU as int16, (z, y, x), and the 4 x 4 matrix from indices (x, y, z) to mm in LPS.
    """
    from CTSuperResolutionLib.degradation.kernels import lanczos_matrix
    from CTSuperResolutionLib.phantom import thorax

    depth, height, width = shape
    body = thorax(shape=(FINER * depth, FINER * height, FINER * width), spacing=spacing / FINER)
    array = body.array
    for axis, n in enumerate(body.shape):
        scanner = lanczos_matrix(n, FINER, BLUR)
        array = np.moveaxis(np.tensordot(scanner, array, axes=(1, axis)), 0, axis)
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(body.direction, (3, 3)) * spacing
    matrix[:3, 3] = body.point([(FINER - 1) / 2] * 3)
    return np.rint(array).astype(np.int16), matrix


def save(path: Path, shape: tuple[int, int, int], spacing: float) -> None:
    """Write such a scan to a file."""
    voxels, ijk_to_lps = thorax_scan(shape, spacing)
    np.savez(path, voxels=voxels, ijk_to_lps=ijk_to_lps)


def load(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """What :func:`save` wrote, as :func:`thorax_scan` gives it."""
    with np.load(path) as file:
        return file["voxels"], file["ijk_to_lps"]


if __name__ == "__main__":
    target, slices, rows, columns, voxel_mm = sys.argv[1:]
    save(Path(target), (int(slices), int(rows), int(columns)), float(voxel_mm))
