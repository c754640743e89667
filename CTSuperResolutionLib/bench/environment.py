"""Environment of a measurement: the device's name and the versions of what ran on it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
from pathlib import Path
from typing import Any

import torch

from CTSuperResolutionLib import __version__
from CTSuperResolutionLib.job.memory import free_memory
from CTSuperResolutionLib.kernels.cpu_library import LibraryError, instruction_set

GIGA = 1e9


def describe_device(device: torch.device) -> dict[str, Any]:
    """Name and size of a device; of the CPU, also which build of the library runs on it."""
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        return {
            "type": "cuda",
            "name": properties.name,
            "compute_capability": f"{properties.major}.{properties.minor}",
            "multiprocessors": properties.multi_processor_count,
            "memory_gb": round(properties.total_memory / GIGA, 1),
        }
    return {
        "type": "cpu",
        "name": processor_name(),
        "cores": os.cpu_count(),
        "free_memory_gb": round((free_memory() or 0) / GIGA, 1),
        "instruction_set": _instruction_set(),
    }


def describe_versions() -> dict[str, str | None]:
    """Versions of this library and of what it runs on."""
    return {
        "CTSuperResolution": __version__,
        "Python": platform.python_version(),
        "torch": torch.__version__,
        "CUDA": torch.version.cuda,
        "cuda-core": _installed("cuda-core"),
        "system": platform.platform(),
    }


def processor_name() -> str:
    """What the processor calls itself."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()


def _installed(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _instruction_set() -> str | None:
    try:
        return instruction_set()
    except LibraryError:
        return None
