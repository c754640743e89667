"""Requirements of the background process: Python, packages, and what compiles the CUDA kernels."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from CTSuperResolutionPanel.install.probe import MARK, numbers

PYTHON = (3, 10)
"""The oldest Python that the library runs on."""

PACKAGES = (
    "diffusers>=0.32",
    "gsplat>=1.5",
    "matplotlib",
    "numpy",
    "pillow",
    "psutil",
    "safetensors",
    "scikit-image",
    "scipy",
    "SimpleITK>=2.3",
    "torch>=2.4",
)
"""As in the library's pyproject.toml, which does not come with an installed extension. A test compares them."""

KERNELS = {
    12: ("cuda-core>=0.5", "cuda-bindings==12.*", "nvidia-cuda-nvrtc-cu12"),
    13: ("cuda-core>=0.5", "cuda-bindings==13.*", "nvidia-cuda-nvrtc==13.*"),
}
"""What compiles the CUDA kernels on a GPU, by the CUDA that torch was built with; the extras of pyproject.toml."""

MODULES = {"pillow": "PIL", "scikit-image": "skimage"}
"""What is imported where that is not the package's own name."""

TORCH = next(each for each in PACKAGES if each.startswith("torch>"))

SLICERS_OWN = ("numpy", "scipy", "SimpleITK", "vtk", "pillow", "pydicom", "requests")
"""Packages that Slicer ships and its own process uses: they are never replaced."""

NEVER = ("itk", "itk-core", "vtk")
"""Packages that must not come into Slicer's Python from pip: they would stand beside Slicer's own libraries."""


def name_of(requirement: str) -> str:
    """The package's name: torch of torch>=2.4."""
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0]


def kernels_lacking(cuda: str, versions: Mapping[str, str | None]) -> tuple[str, ...]:
    """What is missing to compile the CUDA kernels; nothing where there are none for that CUDA.

    Args:
        cuda: the version that torch was built with.
        versions: of the packages that are there, by name.
    """
    wanted = KERNELS.get(int(cuda.partition(".")[0]), ())
    return tuple(each for each in wanted if not _meets(versions.get(name_of(each)), each))


def _meets(version: str | None, requirement: str) -> bool:
    """Whether a version is what a requirement of the forms name, name>=1.2 and name==1.* asks for."""
    if version is None:
        return False
    same, least = requirement.partition("==")[2], requirement.partition(">=")[2]
    if same:
        return version.startswith(same.removesuffix("*"))
    return numbers(version) >= numbers(least)


def question() -> str:
    """What to ask :mod:`~CTSuperResolutionPanel.install.probe`."""
    requires = {}
    for requirement in PACKAGES:
        name, _sign, least = requirement.partition(">=")
        requires[name] = [MODULES.get(name, name), least or "0"]
    kernels = sorted({name_of(each) for packages in KERNELS.values() for each in packages})
    return json.dumps({"requires": requires, "pinned": SLICERS_OWN, "kernels": kernels})


def answer_of(output: str) -> dict[str, Any]:
    """What a Python said of itself, from all that it wrote; {} where it said nothing."""
    answer: dict[str, Any] = {}
    for line in output.splitlines():
        if line.startswith(f'{{"{MARK}":'):
            try:
                answer.update(json.loads(line)[MARK])
            except ValueError:
                continue  # torn off where the process was ended
    return answer
