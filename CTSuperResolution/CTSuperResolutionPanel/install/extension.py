"""Extension PyTorch, which installs torch for all extensions of Slicer."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import slicer

from CTSuperResolutionPanel.install.plan import FINDER

NAME = "PyTorch"


def is_there() -> bool:
    """Whether the extension is installed and loaded."""
    return hasattr(slicer.modules, "pytorchutils")


def torch_arguments(requirement: str) -> Sequence[str]:
    """What the extension gives to light-the-torch to install torch, as ">=2.4" or newer.

    Its own installTorch() cannot be used: that ends by importing torch into Slicer's process, and holds the window.
    """
    import PyTorchUtils

    arguments = getattr(PyTorchUtils.PyTorchUtilsLogic, "_getPipInstallArguments", None)
    return arguments(None, requirement, None) if arguments else ["install", f"torch{requirement}", "torchvision"]


def finder_arguments() -> tuple[str, ...]:
    """What the extension gives to pip to install light-the-torch.

    Since April 2026 that is Slicer's own fork, by its address: what is on PyPI knows CUDA up to 12.6, and brings torch
    that has no kernels for newer GPUs. The extension is asked by letting it install, with pip taken out of its hands.
    """
    import PyTorchUtils

    install = getattr(PyTorchUtils.PyTorchUtilsLogic, "_installLightTheTorch", None)
    asked: list[str] = []
    if install is not None:
        with _pip_replaced(lambda given: asked.extend(shlex.split(given) if isinstance(given, str) else given)):
            install()
    return tuple(asked) or FINDER


@contextlib.contextmanager
def _pip_replaced(install: Callable[[Any], None]) -> Iterator[None]:
    """Have a function called in place of Slicer's pip_install(), wherever that is."""
    modules: list[Any] = [slicer.util, getattr(slicer, "packaging", None)]
    places = [module for module in modules if hasattr(module, "pip_install")]
    before = [place.pip_install for place in places]

    def call(requirements: Any, *others: Any, **named: Any) -> None:
        install(requirements)

    try:
        for place in places:
            place.pip_install = call
        yield
    finally:
        for place, function in zip(places, before, strict=True):
            place.pip_install = function


def can_be_installed() -> bool:
    """Whether Slicer has its extensions manager."""
    return _manager() is not None


def install() -> bool:
    """Have the extensions manager install it, for the next start of Slicer; whether that worked."""
    manager = _manager()
    interactive, manager.interactive = manager.interactive, False
    try:
        return manager.installExtensionFromServer(NAME, False)
    finally:
        manager.interactive = interactive


def confirm_restart(text: str) -> None:
    """Ask whether to restart Slicer, and do."""
    slicer.app.confirmRestart(text)


def _manager() -> Any:
    return slicer.app.extensionsManagerModel() if hasattr(slicer.app, "extensionsManagerModel") else None
