"""Probe run by the Python that is to run jobs: writes, as lines of JSON, what it has of what the library needs.

    python probe.py '{"requires": {"torch": ["torch", "2.4"], ...}, "pinned": ["numpy", ...], "kernels": [...]}'

The first line tells what can be told without importing anything. The second, of a Python that has everything, says
whether torch and the library load; where importing them ends the process, it stays out.

Standard library only, and for old Pythons too, so that they can be told to be too old.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import types

MARK = "ctsr-probe"


def main(question: str) -> None:
    """Answer a question, a JSON text, on standard output."""
    asked = json.loads(question)
    site = sysconfig.get_paths()["purelib"]
    answer: dict = {
        "python": list(sys.version_info[:3]),
        "platform": sysconfig.get_platform(),
        "machine": platform.machine(),
        "site": site,
        "writable": os.access(site, os.W_OK),
        "free": shutil.disk_usage(site).free if os.path.isdir(site) else 0,
        "gpus": nvidia_gpus(),
    }
    if sys.version_info >= (3, 8):  # noqa: UP036 - any Python may be asked
        pinned = asked["pinned"]
        requires = asked["requires"].items()
        answer["packages"] = {
            name: inspect_package(name, module, least, name in pinned) for name, (module, least) in requires
        }
        answer["pinned"] = {name: version(name) for name in pinned}
        answer["kernels"] = {name: version(name) for name in asked["kernels"]}
        answer["pip"] = version("pip")
        answer["light_the_torch"] = version("light-the-torch")
    say(answer)
    if "packages" in answer and all(package["state"] == "there" for package in answer["packages"].values()):
        say({"loaded": load()})


def say(answer: dict) -> None:
    """Write one line that is told apart from what packages print when they are imported."""
    sys.stdout.write("\n" + json.dumps({MARK: answer}) + "\n")
    sys.stdout.flush()


def inspect_package(name: str, module: str, least: str, pinned: bool) -> dict:
    """One package: its version, and whether it is there, missing, old or broken, and why."""
    found = version(name)
    importable = is_importable(module)
    if found is None and not has_record(name):
        if not importable:
            return {"version": None, "state": "missing", "why": ""}
        if pinned:  # Slicer may have built it itself, and then pip has no record of it
            return {"version": None, "state": "there", "why": ""}
        return {"version": None, "state": "broken", "why": "its installation was not finished"}
    why = damage(name) if importable else "its files are missing"
    if why:
        return {"version": found, "state": "broken", "why": why}
    old = numbers(found) < numbers(least)
    return {"version": found, "state": "old" if old else "there", "why": "older than " + least if old else ""}


def version(name: str) -> str | None:
    """The version that a package's record says, or None."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as recorded

    try:
        return recorded(name)
    except (PackageNotFoundError, KeyError):  # the latter: a folder for the record, and no record in it
        return None


def has_record(name: str) -> bool:
    """Whether there is a folder for a package's record, whatever is in it."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def is_importable(module: str) -> bool:
    """Whether there is such a module; the rest of a package, a folder without ``__init__.py``, is none."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin is not None


def damage(name: str) -> str:
    """What is wrong with a package by its own record, or "". Nothing is imported."""
    from importlib.metadata import distribution

    found = distribution(name)
    if found.read_text("METADATA") is None:
        # Installed by other means than pip (an egg), or only half: then there is nothing at all.
        return "" if found.read_text("PKG-INFO") else "its record is empty"
    record = found.read_text("RECORD")
    if record is None:
        # pip writes it last. Some systems leave it out of their own packages, and then say who installed them.
        by = (found.read_text("INSTALLER") or "pip").strip()
        return "its installation was not finished" if by == "pip" else ""
    files = [row[0] for row in csv.reader(record.splitlines()) if row]
    files = [file for file in files if not file.endswith(".pyc") and not file.startswith("..")]
    gone = sum(not os.path.exists(str(found.locate_file(file))) for file in files)
    return f"{gone} of its {len(files)} files are missing" if gone else ""


def numbers(text: str | None) -> tuple[int, ...]:
    """1.2.3 as a tuple, whatever comes after it."""
    found = re.match(r"\d+(?:\.\d+)*", text or "0")
    return tuple(map(int, found.group().split("."))) if found else ()


def nvidia_gpus() -> list:
    """Names of NVIDIA GPUs that the driver knows of."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        query = [program, "--query-gpu=name", "--format=csv,noheader"]
        listed = subprocess.check_output(query, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in listed.decode(errors="replace").splitlines() if line.strip()]


def load() -> dict:
    """Import torch, then the library as a job does. What either says, and why one could not be loaded."""
    said = {"torch": "", "library": "", "cuda": None, "usable": False, "on_gpu": ""}
    try:
        import torch

        said.update(cuda=torch.version.cuda, usable=torch.cuda.is_available())
        if said["usable"]:
            said["on_gpu"] = why_gpu_fails(torch)
    except Exception as error:
        said["torch"] = first_line(error)
        return said
    try:
        import CTSuperResolutionLib.pipeline  # noqa: F401 - with all that a job imports
    except Exception as error:
        said["library"] = first_line(error)
    return said


def why_gpu_fails(torch: types.ModuleType) -> str:
    """Why the least of work fails on the GPU, "" where it does not. torch also sees GPUs that it has no kernels for."""
    try:
        (torch.zeros(1, device="cuda") + 1).item()
    except Exception as error:
        return first_line(error)
    return ""


def first_line(error: Exception) -> str:
    """An exception in one line."""
    return f"{type(error).__name__}: {str(error).strip()}".splitlines()[0]


if __name__ == "__main__":
    # The panel's files beside this one are no modules of that Python.
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path = [folder for folder in sys.path if os.path.abspath(folder or os.curdir) != here]
    main(sys.argv[1])
