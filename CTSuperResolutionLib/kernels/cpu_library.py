"""The CPU library that CUDAKernels/CMakeLists.txt builds, loaded and told what its functions take."""

from __future__ import annotations

import ctypes
import sys
from functools import lru_cache
from pathlib import Path

import torch

from CTSuperResolutionLib.kernels.constants import INTERFACE
from CTSuperResolutionLib.kernels.files import kernel_folders

FILE = {"win32": "ctsr_native.dll", "darwin": "libctsr_native.dylib"}.get(sys.platform, "libctsr_native.so")
PRECISIONS = {torch.float32: 0, torch.float64: 1}
"""What the library calls the types that it takes."""

_POINTER, _FOUR = ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p)
_FIELD = (_POINTER, ctypes.c_int, ctypes.c_int64, _FOUR)  # frame, precision, Gaussians, their four arrays
_SLICES = (_POINTER, _POINTER, ctypes.c_int, ctypes.c_int64, _POINTER, _POINTER)  # beam, angles, precision, slices, …
_IMAGES = (ctypes.c_int, ctypes.POINTER(ctypes.c_int32), _POINTER, _POINTER)  # precision, shape, x, y
_SHAPE, _FLOATS = ctypes.POINTER(ctypes.c_int64), (_POINTER,) * 3
_LOSS = (ctypes.c_double, ctypes.c_double, ctypes.c_double, ctypes.POINTER(ctypes.c_double), _POINTER)
ARGUMENTS = {
    "nabgs_interface": (),
    "nabgs_instruction_set": (),
    "nabgs_rasterize": (*_FIELD, _POINTER, ctypes.c_int),
    "nabgs_rasterize_backward": (*_FIELD, _POINTER, _FOUR, ctypes.c_int),
    "nabgs_voxelize": (*_FIELD, _POINTER, ctypes.c_int),
    "nabgs_voxelize_backward": (*_FIELD, _POINTER, _FOUR, ctypes.c_int),
    "nabgs_view_loss": (*_IMAGES, *_LOSS, ctypes.c_int),
    "nabgs_project": (*_SLICES, ctypes.c_int),
    "nabgs_backproject": (*_SLICES, ctypes.c_int),
    "nabgs_convolve": (_SHAPE, *_FLOATS, ctypes.c_int, *_FLOATS, ctypes.c_int),
}
"""Of every function; each returns a code, or what it is named after."""


class LibraryError(Exception):
    """There is no library to load, or it does not fit; the message says why."""


@lru_cache(maxsize=1)
def load_library() -> ctypes.CDLL:
    """The library, loaded once.

    Raises:
        LibraryError: not built, not for this computer, or of another version.
    """
    path = find_library()
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise LibraryError(f"{path} cannot be loaded ({error})") from None
    if not all(hasattr(library, name) for name in ARGUMENTS) or library.nabgs_interface() != INTERFACE:
        raise LibraryError(f"{path} is of another version; build it anew")
    for name, types in ARGUMENTS.items():
        getattr(library, name).argtypes = types
    library.nabgs_instruction_set.restype = ctypes.c_char_p
    return library


def find_library() -> Path:
    """Where the library lies.

    Raises:
        LibraryError: nowhere.
    """
    for folder in kernel_folders():
        if (folder / FILE).is_file():
            return folder / FILE
    raise LibraryError(f"{FILE} was not built for this installation")


def instruction_set() -> str:
    """Which of the library's builds runs on this processor: avx512, avx2 or baseline."""
    return load_library().nabgs_instruction_set().decode()
