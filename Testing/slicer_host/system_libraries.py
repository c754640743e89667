"""The libraries of the operating system that Qt's wheel does not bring: which are missing, and getting them.

Standard library only: it runs before anything is installed.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys

DEBIAN_PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libX11.so.6": "libx11-6",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libxkbcommon.so.0": "libxkbcommon0",
}
"""What PySide6's Qt loads, also without a screen, and the package of Debian and Ubuntu that has it."""


def missing() -> list[str]:
    """The packages that are not installed; empty on other systems than Linux."""
    if sys.platform != "linux":
        return []
    packages = []
    for library, package in DEBIAN_PACKAGES.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            packages.append(package)
    return sorted(set(packages))


def ensure() -> str | None:
    """Install what is missing; where this process may not, returns a sentence that says what to do."""
    packages = missing()
    if not packages:
        return None
    if shutil.which("apt-get") is None:
        return f"Qt's libraries are missing ({' '.join(packages)} in Debian); install your system's packages of them."
    if os.geteuid() != 0:
        return f"System packages are missing; run this first: sudo apt-get install {' '.join(packages)}"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-q"], ["apt-get", "install", "-q", "-y", *packages]):
        subprocess.call(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, env=environment)
    packages = missing()
    return f"apt-get could not install {' '.join(packages)}; see the message above." if packages else None
