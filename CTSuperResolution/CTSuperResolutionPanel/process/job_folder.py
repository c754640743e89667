"""Folder of one job: private, for it holds a patient's image, and deleted with the job."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import slicer

from CTSuperResolutionPanel.process.process_tree import is_running

PREFIX = "ctsr-job-"

# Waits for the end of Slicer, which has its stdin, and tidies up after a crash. The job is stopping then, too, and on
# Windows holds its files until it has. Where it hears nothing at all, some launcher between does not pass stdin on.
_JANITOR = """
import os, shutil, sys, time
if sys.stdin.buffer.read() == b"watch":
    for _ in range(60):
        shutil.rmtree(sys.argv[1], ignore_errors=True)
        if not os.path.exists(sys.argv[1]):
            break
        time.sleep(0.5)
"""


class JobFolder:
    """A new private folder (mode 0700) under Slicer's temporary path.

    Args:
        python: runs the small process that deletes the folder when Slicer crashes.
        environment: of that process.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, python: Path, environment: dict[str, str]) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=_parent()))
        self.input = self.path / "input.nrrd"
        self.output = self.path / "result"
        self._janitor = _start_janitor(python, environment, self.path)

    def delete(self) -> None:
        """Remove it with all that is in it. May be called again."""
        shutil.rmtree(self.path, ignore_errors=True)
        janitor, self._janitor = self._janitor, None
        if janitor is not None and janitor.stdin is not None:
            with contextlib.suppress(OSError):
                # Where Windows still holds a file, the janitor goes on trying.
                if not self.path.exists():
                    janitor.stdin.write(b" no more")
                janitor.stdin.close()
            _ended.append(janitor)
        # Popen objects want to be asked once their process is over.
        _ended[:] = [process for process in _ended if process.poll() is None]


def free_space() -> int:
    """Bytes that a job folder could take."""
    return shutil.disk_usage(_parent()).free


def delete_left_behind() -> None:
    """Remove the folders of Slicers that are no more: a power failure gets past every other care."""
    for folder in _parent().glob(f"{PREFIX}*"):
        pid = folder.name[len(PREFIX) :].partition("-")[0]
        if pid.isdigit() and not is_running(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


_ended: list[subprocess.Popen[bytes]] = []


def _start_janitor(python: Path, environment: dict[str, str], folder: Path) -> subprocess.Popen[bytes] | None:
    """Start what deletes a folder after a crash. Where it cannot be started, None, the next start of Slicer does."""
    windows = os.name == "nt"
    try:
        janitor = subprocess.Popen(
            [str(python), "-S", "-c", _JANITOR, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
            bufsize=0,
            creationflags=0x08000200 if windows else 0,
            start_new_session=not windows,
        )
        if janitor.stdin is not None:
            janitor.stdin.write(b"watch")
    except OSError:
        return None
    return janitor


def _parent() -> Path:
    folder = Path(slicer.app.temporaryPath)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
