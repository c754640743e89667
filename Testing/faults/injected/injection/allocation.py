"""Large allocations of numpy and torch that fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from injection import trigger

LARGE = 10_000
"""Bytes of an array that counts; the scan of the runs has 8 kB, its result 61 kB."""

NAMES = {
    "numpy": ("array", "ascontiguousarray", "asarray", "concatenate", "empty", "full", "ones", "stack", "zeros"),
    "torch": ("as_tensor", "cat", "empty", "empty_like", "full", "ones", "rand", "randn", "stack", "tensor", "zeros",
              "zeros_like"),
}  # fmt: skip


class Allocation:
    """A function that makes an array."""

    def __init__(self, library: str, real: Callable) -> None:
        self._library, self._real = library, real
        self.__name__ = getattr(real, "__name__", library)

    def __call__(self, *given: Any, **named: Any) -> Any:
        made = self._real(*given, **named)
        size = getattr(made, "nbytes", 0)
        if size >= LARGE and trigger.strikes("allocation", self._library, size):
            if self._library == "numpy":
                raise MemoryError(f"Unable to allocate {size} bytes for an array")
            raise RuntimeError(f"DefaultCPUAllocator: can't allocate memory: you tried to allocate {size} bytes.")
        return made


def install() -> None:
    """Put the functions in place, in libraries that are loaded."""
    import numpy
    import torch

    for library, module in (("numpy", numpy), ("torch", torch)):
        for name in NAMES[library]:
            setattr(module, name, Allocation(library, getattr(module, name)))
