"""Locations of the kernels: beside the installed package, or in the checkout that it runs from."""

from __future__ import annotations

from pathlib import Path

import CTSuperResolutionLib

CHECKOUT = Path(__file__).resolve().parents[2] / "CUDAKernels"


def kernel_folders() -> list[Path]:
    """Folders that may hold the built CPU library, the nearest first."""
    installed = [Path(folder) / "CUDAKernels" for folder in CTSuperResolutionLib.__path__]
    return [folder for folder in (*installed, CHECKOUT / "build") if folder.is_dir()]


def kernel_sources() -> Path | None:
    """The folder with gaussian.h and cuda/kernels.cu, or None where neither was installed."""
    # A checkout's own text first: an installation from it may hold what the text was then.
    folders = [CHECKOUT, *(Path(folder) / "CUDAKernels" for folder in CTSuperResolutionLib.__path__)]
    return next((folder for folder in folders if (folder / "gaussian.h").is_file()), None)
