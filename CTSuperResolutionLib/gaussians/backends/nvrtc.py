"""Machine code of the CUDA kernels: compiled by NVRTC through NVIDIA's cuda-core, once for each kind of GPU, and kept.

No toolkit is needed. cuda-core takes the NVRTC library that it finds first: one that the process has loaded already
(torch does so on Windows), else that of the package nvidia-cuda-nvrtc (version 13) or nvidia-cuda-nvrtc-cu12, which
torch brings on Linux, else that of an installed toolkit. It asks for the version that cuda-bindings has.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import os
import re
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import torch

from CTSuperResolutionLib.kernels.files import kernel_sources

STANDARD = "c++17"
PACKAGES = ("cuda-core", "cuda-bindings", "nvidia-cuda-nvrtc", "nvidia-cuda-nvrtc-cu12")
INCLUDE = re.compile(r'^#include "(.+)"$', re.MULTILINE)
DIGEST = hashlib.sha256().digest_size


class CompileError(Exception):
    """There is no machine code for this GPU; the message says why."""


def import_cuda_core() -> ModuleType:
    """The module cuda.core.

    Raises:
        CompileError: it is not installed, or too old.
    """
    try:
        core = importlib.import_module("cuda.core")
    except ModuleNotFoundError as error:
        if error.name not in ("cuda", "cuda.core"):
            raise CompileError(f"cuda-core lacks {error.name}; {_install()}") from None
        raise CompileError(f"cuda-core is not installed; {_install()}") from None
    except ImportError as error:
        raise CompileError(f"cuda-core does not work here ({_shortened(error)}); {_install()}") from None
    if not hasattr(core, "Program"):
        raise CompileError(f"cuda-core is too old; {_install()}")
    return core


def machine_code(architecture: str, *, anew: bool = False) -> bytes:
    """All kernels compiled for an architecture such as "sm_90"; from the cache unless ``anew``.

    Raises:
        CompileError: see :class:`CompileError`.
    """
    source = read_source()
    versions = [_version(package) for package in PACKAGES]
    key = hashlib.sha256(repr((source, STANDARD, architecture, versions)).encode()).hexdigest()[:32]
    path = cache_folder() / f"kernels-{architecture}-{key}.cubin"
    code = None if anew else _read(path)
    if code is None:
        code = compile_source(source, architecture)
        _keep(path, code)
    return code


def read_source() -> str:
    """The text of kernels.cu with every file that it includes put in its place.

    In one text, because NVRTC opens no file whose path has letters beyond the system's own.

    Raises:
        CompileError: the sources were not installed.
    """
    folder = kernel_sources()
    if folder is None or not (folder / "cuda" / "kernels.cu").is_file():
        raise CompileError("the sources of the kernels were not installed with this package; install it anew")
    return _with_includes((folder / "cuda" / "kernels.cu").resolve(), set())


def compile_source(source: str, architecture: str) -> bytes:
    """Compile, whatever the cache holds.

    Raises:
        CompileError: there is no NVRTC, it does not know the architecture, or it found errors.
    """
    core = import_cuda_core()
    try:
        options = core.ProgramOptions(name="kernels.cu", std=STANDARD, arch=architecture)
        return bytes(core.Program(source, "c++", options).compile("cubin").code)
    except Exception as error:  # whatever goes wrong in there, plain torch goes on without
        if type(error).__name__ == "DynamicLibNotFoundError":  # of cuda.pathfinder, which looks for the library
            raise CompileError(f"the library NVRTC is missing; {_install()}") from error
        raise CompileError(f"NVRTC did not compile the kernels for {architecture} ({_shortened(error)})") from error


def cache_folder() -> Path:
    """Where compiled kernels are kept; it need not exist.

    Raises:
        CompileError: this user has no home.
    """
    try:
        if sys.platform == "win32":
            base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
        else:
            base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:
        raise CompileError(
            "this user has no home folder; set XDG_CACHE_HOME to a folder for compiled kernels"
        ) from None
    return Path(base) / "CTSuperResolution"


def _with_includes(path: Path, seen: set[Path]) -> str:
    if path in seen:
        return ""
    seen.add(path)
    text = path.read_text(encoding="utf-8").replace("#pragma once\n", "")
    return INCLUDE.sub(lambda include: _with_includes((path.parent / include[1]).resolve(), seen), text)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _read(path: Path) -> bytes | None:
    """The code in a file that starts with its digest; None unless both are whole."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    code = content[DIGEST:]
    return code if code and hashlib.sha256(code).digest() == content[:DIGEST] else None


def _keep(path: Path, code: bytes) -> None:
    """Write such a file, at once for whoever else looks for it; not at all where that is not allowed."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    except OSError:
        return
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(code).digest() + code)
        os.replace(name, path)
    except OSError:
        Path(name).unlink(missing_ok=True)


def _install() -> str:
    return f'pip install "ctsuperresolution[cuda{(torch.version.cuda or "13").split(".")[0]}]"'


def _shortened(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else f"{text[:300]} …"
