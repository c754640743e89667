"""Assessment of a Python environment: whether it can run jobs, from what it says of itself."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from CTSuperResolutionPanel.install.environment_status import EnvironmentStatus
from CTSuperResolutionPanel.install.requirements import (
    PACKAGES,
    PYTHON,
    SLICERS_OWN,
    TORCH,
    kernels_lacking,
    name_of,
)
from CTSuperResolutionPanel.process.error_messages import NO_KERNELS


def assess(python: Path, answer: Mapping[str, Any], *, own: bool, why_silent: str = "") -> EnvironmentStatus:
    """Whether a Python can run jobs.

    Args:
        python: its executable.
        answer: what it said of itself.
        own: it is Slicer's, where packages may be installed; any other is the user's own affair.
        why_silent: where the process ended without having said everything, how.
    """
    return _Assessment(python, answer, own, why_silent).status()


class _Assessment:
    def __init__(self, python: Path, answer: Mapping[str, Any], own: bool, why_silent: str) -> None:
        self.python, self.answer, self.own, self.why_silent = python, answer, own, why_silent
        self.name = _("Slicer's Python") if own else str(python)
        self.gpus = answer.get("gpus", [])
        self.loaded = answer.get("loaded", {})

    def status(self) -> EnvironmentStatus:
        if "python" not in self.answer:
            return self._unusable(
                _("{python} could not be started ({reason}).").format(
                    python=self.name, reason=self.why_silent or _("it said nothing")
                ),
                _("Choose a Python with what jobs need."),
            )
        version = tuple(self.answer["python"])
        if version < PYTHON:
            return self._unusable(
                _("{python} is version {version}; jobs need {least} or newer.").format(
                    python=self.name, version=_dotted(version), least=_dotted(PYTHON)
                ),
                _("Update Slicer to 5.10 or later, or choose another Python.")
                if self.own
                else _("Choose a newer Python."),
            )
        states = {name: package["state"] for name, package in self.answer["packages"].items()}
        why = {name: package["why"] for name, package in self.answer["packages"].items() if package["why"]}
        if set(states.values()) == {"there"}:
            if not self.loaded:
                states["torch"] = "broken"
                why["torch"] = _("importing it ends Python: {how}").format(how=self.why_silent)
            elif self.loaded["torch"]:
                states["torch"], why["torch"] = "broken", self.loaded["torch"]
            elif self.loaded["library"]:
                return self._does_not_load(self.loaded["library"])
        wanted = tuple(each for each in PACKAGES if states[name_of(each)] != "there")
        broken = tuple(name for name, state in states.items() if state == "broken")
        return self._incomplete(wanted, broken, why) if wanted else self._complete()

    def _complete(self) -> EnvironmentStatus:
        ready = EnvironmentStatus(self.python, ready=True, cuda=bool(self.gpus), answer=self.answer)
        if not self.gpus or sys.platform == "darwin":
            return ready
        gpu = self.gpus[0]
        if NO_KERNELS in self.loaded.get("on_gpu", ""):
            return self._not_built_for(ready, gpu)
        if self.loaded["usable"]:
            cuda = self.loaded["cuda"]
            lacking = kernels_lacking(cuda, self.answer["kernels"]) if cuda else ()
            return self._without_kernels(ready, gpu, lacking) if lacking else ready
        if self.loaded["cuda"] is not None:
            problem = _("torch for CUDA {version} cannot use the {gpu}, so jobs run on the CPU.").format(
                version=self.loaded["cuda"], gpu=gpu
            )
            return replace(ready, problem=problem, fix=_("Update the NVIDIA driver."))
        problem = _("torch is there for the CPU only, so jobs do not use the {gpu}.").format(gpu=gpu)
        if not self.own:
            return replace(ready, problem=problem, fix=_("Install torch for CUDA in that Python."))
        return self._installation(replace(ready, problem=problem, replaces_torch=True), (TORCH,))

    def _not_built_for(self, ready: EnvironmentStatus, gpu: str) -> EnvironmentStatus:
        """torch that has no kernels for the GPU: jobs would fail there, and it has to be replaced by another build."""
        problem = _(
            "torch for CUDA {version} has no kernels for the {gpu}, so jobs fail there; update Slicer's PyTorch "
            "extension and install torch again, or choose the device CPU."
        )
        found = replace(ready, problem=problem.format(version=self.loaded["cuda"], gpu=gpu), unfit_torch=True)
        if not self.own:
            return replace(found, fix=_("Install torch for a newer CUDA in that Python, or choose the device CPU."))
        return self._installation(replace(found, replaces_torch=True), (TORCH,))

    def _without_kernels(self, ready: EnvironmentStatus, gpu: str, lacking: tuple[str, ...]) -> EnvironmentStatus:
        problem = _("{python} lacks what compiles the CUDA kernels ({packages}), so jobs take longer on the {gpu}.")
        found = replace(
            ready,
            problem=problem.format(python=self.name, packages=_enumerate([name_of(each) for each in lacking]), gpu=gpu),
        )
        return self._installation(found, lacking) if self.own else replace(found, fix=_in_environment(lacking))

    def _incomplete(self, wanted: tuple[str, ...], broken: tuple[str, ...], why: dict[str, str]) -> EnvironmentStatus:
        if TORCH in wanted and self._is_intel_mac():
            return self._unusable(
                _(
                    "{python} cannot get {torch}, which jobs need: for Macs with an Intel processor PyTorch ends with "
                    "version 2.2."
                ).format(python=self.name, torch=TORCH),
                _("Use another computer, such as a Mac with Apple silicon, or choose a Python that has it."),
            )
        names = _enumerate([name_of(each) for each in wanted])
        if broken:
            problem = _("An installation in {python} is half there: {packages}.").format(
                python=self.name,
                packages=_enumerate([f"{name} ({why[name]})" for name in broken]),
            )
        else:
            problem = _("{python} lacks what jobs need: {packages}.").format(python=self.name, packages=names)
        found = EnvironmentStatus(
            self.python, problem=problem, missing=wanted, broken=broken, cuda=bool(self.gpus), answer=self.answer
        )
        if not self.own:
            return replace(found, fix=_in_environment(wanted))
        if damaged := [name for name in broken if name in SLICERS_OWN]:
            fix = _("{packages} came with Slicer: install Slicer again, or choose another Python.")
            return replace(found, fix=fix.format(packages=_enumerate(damaged)))
        return self._installation(found, wanted)

    def _installation(self, found: EnvironmentStatus, wanted: tuple[str, ...]) -> EnvironmentStatus:
        """What can be done about it by installing in Slicer's Python."""
        torch = any(name_of(each) == "torch" for each in wanted)
        cuda = bool(self.gpus) and sys.platform != "darwin"
        download = (3.0 if cuda else 0.3) if torch else 0.1
        disk = (8.0 if cuda else 1.3) if torch else 0.3
        found = replace(found, missing=wanted, size_gb=download, disk_gb=disk)
        site, free = self.answer["site"], self.answer["free"] / 1e9
        if not self.answer["writable"]:
            fix = _("You may not write to {folder}: choose another Python, or ask who may to install it.")
            return replace(found, fix=fix.format(folder=site))
        if self.answer["pip"] is None:
            return replace(found, fix=_("{python} has no pip: choose another Python.").format(python=self.name))
        if free < disk:
            fix = _("{disk:.1f} GB are needed in {folder}, and {free:.1f} GB are free: make room there.")
            return replace(found, fix=fix.format(disk=disk, folder=site, free=free))
        replaced = torch and self.answer["packages"]["torch"]["state"] != "missing"
        if replaced and "torch" in sys.modules:
            fix = _("Another module of Slicer has torch in use: restart Slicer, and begin here.")
            return replace(found, fix=fix)
        return replace(found, fix="", installable=True)

    def _is_intel_mac(self) -> bool:
        """Whether that Python runs as on a Mac with an Intel processor, be it on one with Apple silicon."""
        return self.answer["platform"].startswith("macosx") and self.answer.get("machine") == "x86_64"

    def _does_not_load(self, why: str) -> EnvironmentStatus:
        """What a package needs is missing or too old. Asked for by name, pip looks at what they need again."""
        problem = _("{python} has all packages, and they do not work together ({reason}).")
        found = EnvironmentStatus(
            self.python,
            problem=problem.format(python=self.name, reason=why),
            fix=_("Update the package that is named, in that Python."),
            cuda=bool(self.gpus),
            answer=self.answer,
        )
        others = tuple(each for each in PACKAGES if each != TORCH)
        return self._installation(found, others) if self.own else found

    def _unusable(self, problem: str, fix: str) -> EnvironmentStatus:
        return EnvironmentStatus(self.python, problem=problem, fix=fix, answer=self.answer)


def _in_environment(wanted: tuple[str, ...]) -> str:
    line = f"pip install {' '.join(chr(34) + each + chr(34) for each in wanted)}"
    return _("In that Python's environment run: {line}").format(line=line)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _enumerate(names: list[str]) -> str:
    """As in a, b and c."""
    if len(names) < 2:
        return "".join(names)
    return _("{first} and {last}").format(first=", ".join(names[:-1]), last=names[-1])
