"""Output folder: files are put together in a private staging folder, and a folder gets all of them or none."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.output.lock import LockedError, lock_folder

SUMMARY = "result.json"  # put in place last: where it is, the rest is
PREFIX = ".ctsr-"
JOURNAL = "publishing.json"  # in the staging folder, while files are put in place: what a crash leaves to undo

# Waits for the end of the process that writes to its stdin. One that ended well says so; after a crash or kill, the
# scan it was working on must not stay behind.
_JANITOR = """
import json, os, shutil, sys
journal, staging, *created = sys.argv[1:]
if sys.stdin.buffer.read() != b"done":
    try:  # it died while it put files in place: the older ones come back
        with open(os.path.join(staging, journal)) as file:
            folder, older, obsolete, names = json.load(file)
        for name in obsolete + names:
            new, kept = os.path.join(staging, name), os.path.join(older, name)
            placed = os.path.join(folder, name)
            if name in names and not os.path.lexists(new) and os.path.lexists(placed):
                os.replace(placed, new)
            if os.path.lexists(kept):
                os.replace(kept, placed)
    except (OSError, ValueError):
        pass
    shutil.rmtree(staging, ignore_errors=True)
    for folder in created:
        try:
            os.rmdir(folder)
        except FileNotFoundError:
            pass
        except OSError:
            break
"""


class OutputFolder:
    """A folder that results go to, by way of a private staging folder (mode 0700) inside it.

    As a context manager: made on entry; on exit, what was not published is removed, with the folders that were made
    for it. The same happens when the process is killed or crashes.

    What goes wrong in the block is said of the folder that the user knows, and not of the staging folder.

    Args:
        path: the folder; made when it is not there yet.
        alone: no other process may work on results for this folder at the same time, for several files belong together.

    Raises:
        JobError: on entry, where the folder cannot be made or written to, or another process works on it; on exit,
            where the staging folder could not be written to.
    """

    def __init__(self, path: Path | str, *, alone: bool = False) -> None:
        self.path = Path(path)
        self.staging = self.path
        self._created: list[Path] = []  # innermost first
        self._obsolete: list[str] = []
        self._janitor: subprocess.Popen | None = None
        self._alone = alone
        self._more: list[Callable[[], None]] = []
        self._unlock: Callable[[], None] = lambda: None

    def __enter__(self) -> OutputFolder:
        try:
            try:
                self._make()
            except FileNotFoundError:  # another run, whose folder it was, took it away on its end
                self._end()
                self._make()
        except LockedError:
            self._end()
            raise JobError(
                f"Another ctsr is at work on results for {self.path}; wait for its end or choose another folder."
            ) from None
        except OSError as error:
            self._end()
            reason = error.strerror or type(error).__name__
            raise JobError(f"The output folder {self.path} cannot be written ({reason}); choose another one.") from None
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end()
        hidden = f"{self.staging.name}{os.sep}"
        if isinstance(error, JobError) and hidden in error.problem:
            raise JobError(error.problem.replace(hidden, ""), *error.remedies) from None
        if isinstance(error, OSError) and hidden in f"{error.filename}{os.sep}":
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> JobError:
        reason = error.strerror or type(error).__name__
        return JobError(
            f"The results could not be written to {self.path} ({reason}); free some space or choose another folder."
        )

    def require_replaceable(self, names: Iterable[str], source: Path | str) -> None:
        """Check, before long work, that putting files of those names in place would destroy nothing but older ones.

        Args:
            names: the files to come.
            source: what they are made from, which must stay.

        Raises:
            JobError: one is there and is the source, or not a regular file.
        """
        for target in (self.path / name for name in names):
            if not target.exists():
                continue
            if Path(source).exists() and target.samefile(source):
                raise JobError(f"The result {target} would replace the input; choose another output.")
            if not target.is_file():
                raise JobError(
                    f"The result {target} cannot be written, for something that is no file has its name; move that "
                    "or choose another output."
                )

    def file(self, name: str) -> Path:
        """Path to write the result of that name to."""
        return self.staging / name

    def drop(self, name: str) -> None:
        """Take an older file of that name away when the new ones are put in place."""
        self._obsolete.append(name)

    def require_space(self, needed: int) -> None:
        """Check, before long work, that the results will find room.

        Raises:
            JobError: less than ``needed`` bytes are free.
        """
        free = shutil.disk_usage(self.staging).free
        if free < needed:
            raise JobError(
                f"The output folder {self.path} has {free / 1e6:.0f} MB free and the results may take "
                f"{needed / 1e6:.0f} MB; free some space or choose another folder."
            )

    def publish(self) -> dict[str, Path]:
        """Put all files of the staging folder in place, over older ones of their names, and return where they are.

        Older files that were to be dropped go.

        Raises:
            JobError: one could not be put in place; then the older ones are as they were.
        """
        names = sorted((entry.name for entry in self.staging.iterdir()), key=lambda name: (name == SUMMARY, name))
        with self.writing():
            older = Path(tempfile.mkdtemp(prefix="older-", dir=self.staging))
            journal = json.dumps([str(self.path.resolve()), str(older.resolve()), self._obsolete, names])
            (older / JOURNAL).write_text(journal)
            os.replace(older / JOURNAL, self.staging / JOURNAL)
        done: list[str] = []
        try:
            for name in (*self._obsolete, *names):
                if (self.path / name).is_dir():  # made since the work began; all in it would go
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
                done.append(name)
                with contextlib.suppress(FileNotFoundError):
                    os.replace(self.path / name, older / name)
                if name in names:
                    os.replace(self.staging / name, self.path / name)
        except OSError as error:
            self._roll_back(done, older)
            raise JobError(
                f"{self.path / name} cannot be replaced ({error.strerror}); close it where it is open."
            ) from None
        try:
            (self.staging / JOURNAL).unlink()  # from here on the new ones stay
        except OSError as error:
            self._roll_back(done, older)
            raise self._unwritable(error) from None
        self._created.clear()
        return {name: self.path / name for name in names}

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """A block that writes results and nothing else: errors that name no file are of this folder, too.

        Raises:
            JobError: a file could not be written.
        """
        try:
            yield
        except OSError as error:
            raise self._unwritable(error) from None

    def also_discard(self, discard: Callable[[], None]) -> None:
        """Have something else removed when the staging folder is; a kill or crash leaves it."""
        self._more.append(discard)

    def discard(self) -> None:
        """Remove the staging folder, and the output folder if it was made for this. Safe to call from any thread."""
        for discard in self._more:
            discard()
        # Another thread may still be writing into it.
        for _ in range(3):
            if self.staging != self.path and self.staging.exists():
                shutil.rmtree(self.staging, ignore_errors=True)
        self._remove_created()

    def _make(self) -> None:
        staging = self.path / f"{PREFIX}{secrets.token_hex(6)}"
        missing = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        self._janitor = _start_janitor(staging, missing)  # before anything is made that a kill would leave
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
            self._created.insert(0, folder)
        if self._alone:
            self._unlock = lock_folder(self.path)
        staging.mkdir(mode=0o700)
        self.staging = staging

    def _end(self) -> None:
        self.discard()
        if self._janitor is not None:
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                self._janitor.communicate(b"done", timeout=5)
        self._unlock()
        self._created, self._unlock, self._janitor = [], lambda: None, None

    def _remove_created(self) -> None:
        for folder in self._created:
            with contextlib.suppress(OSError):
                folder.rmdir()

    def _roll_back(self, names: list[str], older: Path) -> None:
        for name in names:
            with contextlib.suppress(OSError):
                # An obsolete one has no successor: at its place lies itself, where it could not be moved.
                if name not in self._obsolete and not (self.staging / name).exists():
                    os.replace(self.path / name, self.staging / name)
            with contextlib.suppress(OSError):
                os.replace(older / name, self.path / name)


def _start_janitor(staging: Path, created: list[Path]) -> subprocess.Popen | None:
    """A small process, out of reach of this one's signals, that cleans up where this one cannot any more.

    Args:
        staging, created: folders that are there, or will be.
    """
    paths = [os.path.realpath(path) for path in (staging, *created)]
    detached = {"creationflags": 0x00000208} if os.name == "nt" else {"start_new_session": True}  # no window, own group
    try:
        return subprocess.Popen(
            [sys.executable, "-S", "-c", _JANITOR, JOURNAL, *paths],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **detached,
        )
    except OSError:
        return None  # staging is then left behind by a crash, and by nothing else
