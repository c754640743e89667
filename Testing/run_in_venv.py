#!/usr/bin/env python3
"""Runs a command with everything it needs: python3 Testing/run_in_venv.py ctsr demo demo-result

Makes .venv in the checkout the first time, or when pyproject.toml or the kernels changed, and installs the project
there with its test tools, and torch for the CPU unless there is an NVIDIA GPU. Where only modules of the library came,
moved or went, it installs the project alone again. Needs Python 3.10 or later and a network.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

from slicer_host import system_libraries

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
STAMP = VENV / "installed-for"
TORCH = "torch==2.13.0"  # tested; its Linux wheel on PyTorch's own index leaves out gigabytes of CUDA
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"


def main() -> int:
    """Set up where needed, then become the command."""
    if sys.version_info < (3, 10):  # noqa: UP036 - this file is what an older Python is started with
        return fail(f"Python 3.10 or later is needed and this is {sys.version.split()[0]}; run this with a newer one.")
    if len(sys.argv) < 2:
        return fail("Say what to run, as in: python3 Testing/run_in_venv.py ctsr demo demo-result")
    problem = bring_up_to_date()
    if problem:
        return fail(problem)
    if sys.argv[1] == "pytest":  # the tests of the panel need what Qt stands on
        problem = system_libraries.ensure()
        if problem:
            return fail(problem)
    environment = {**os.environ, "VIRTUAL_ENV": str(VENV), "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"}
    environment.pop("PYTHONHOME", None)
    program = shutil.which(sys.argv[1], path=environment["PATH"])
    if program is None:
        return fail(f"There is no command {sys.argv[1]}; try ctsr, pytest or python.")
    if os.name == "nt":
        return subprocess.call([program, *sys.argv[2:]], env=environment)
    os.execve(program, [program, *sys.argv[2:]], environment)


def bring_up_to_date() -> str | None:
    """Make the environment, or mend it, where it is not what is wanted now; returns what went wrong."""
    is_there = (BIN / ("python.exe" if os.name == "nt" else "python")).exists() and STAMP.is_file()
    made_for, wanted = STAMP.read_text() if is_there else "", stamp()
    if made_for == wanted:
        return None
    if made_for.splitlines()[:1] != wanted.splitlines()[:1]:
        return set_up()
    say("Modules of the library came, moved or went: installing the project again ...")
    return install_project("--no-deps", "--editable", str(ROOT))


def set_up() -> str | None:
    """Make the environment anew; returns what went wrong."""
    say(f"Setting up {VENV}: once, some minutes, about 5 GB.")
    problem = ensure_venv_module()
    if problem:
        return problem
    shutil.rmtree(VENV, ignore_errors=True)
    if call([sys.executable, "-m", "venv", str(VENV)]):
        return f"Python could not make a virtual environment in {VENV}; see the message above."
    if sys.platform == "linux" and not has_gpu():
        say(f"Installing {TORCH} for the CPU ...")
        from_pytorch = answers(TORCH_INDEX) and not pip_install(TORCH, "--index-url", TORCH_INDEX)
        if not from_pytorch and pip_install(TORCH):
            return f"pip could not install {TORCH}; check the network and run this again."
    say("Installing the project and what it needs ...")
    return install_project("--editable", f"{ROOT}[test]")


def install_project(*arguments: str) -> str | None:
    """Install the project into the environment and stamp it; returns what went wrong."""
    if pip_install(*arguments):
        return "pip could not install the project; check the network and run this again."
    STAMP.write_text(stamp())
    return None


def pip_install(*arguments: str) -> int:
    """Install into the environment and return pip's exit code."""
    quiet = [] if sys.stderr.isatty() else ["-qq"]  # pip's bars show a person that it is not stuck
    return call([str(BIN / "python"), "-m", "pip", "install", "--disable-pip-version-check", *quiet, *arguments])


def stamp() -> str:
    """What an environment is made for, in two lines.

    The first: requirements, the CPU library's source, the kind of torch, and the place. The second: the names of the
    library's modules, for an editable install finds each by a list that is made when it is installed.
    """
    kernels = ROOT / "CUDAKernels"
    built = [ROOT / "pyproject.toml", *kernels.glob("*.*"), *kernels.glob("cpu/*.*")]
    wanted = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(built))).hexdigest()
    modules = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "CTSuperResolutionLib").rglob("*.py"))
    names = hashlib.sha256("\n".join(modules).encode()).hexdigest()
    return f"{wanted} {'cuda' if has_gpu() else 'cpu'} {ROOT}\n{names}\n"


def ensure_venv_module() -> str | None:
    """Debian and Ubuntu keep what venv needs in a package of its own; returns what to do where it stays missing."""
    check = [sys.executable, "-c", "import ensurepip, venv"]
    if not call(check, quiet=True):
        return None
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if shutil.which("apt-get") is None:
        return "This Python cannot make virtual environments (no ensurepip); install its venv package."
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return f"A system package is missing; run this first: sudo apt-get install {package}"
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    call(["apt-get", "update", "-q"])
    call(["apt-get", "install", "-q", "-y", package])
    return f"apt-get could not install {package}; see the message above." if call(check, quiet=True) else None


def answers(url: str) -> bool:
    """Whether a web page can be reached: pip would try each file several times before it gives up."""
    try:
        with urllib.request.urlopen(url + "/", timeout=10):
            return True
    except OSError:
        return False


def has_gpu() -> bool:
    """Whether an NVIDIA driver lists a GPU."""
    program = shutil.which("nvidia-smi")
    return program is not None and not call([program, "-L"], quiet=True)


def call(command: list[str], *, quiet: bool = False) -> int:
    """Run a command, its output to standard error, and return its exit code."""
    output = subprocess.DEVNULL if quiet else sys.stderr
    return subprocess.call(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)


def say(sentence: str) -> None:
    """Tell the user something."""
    print(sentence, file=sys.stderr, flush=True)


def fail(sentence: str) -> int:
    """Say what is wrong and return the exit code for it."""
    say(sentence)
    return 1


if __name__ == "__main__":
    sys.exit(main())
