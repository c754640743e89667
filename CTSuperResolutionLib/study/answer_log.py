"""Log of a reader's answers: JSON lines in a chain of checksums, each on the disk before it is acknowledged.

A line is ``{"check": …, "entry": {…}}``. The check is the SHA-256 of the check before it and the entry's own text, so
that a line that was changed, left out or put in between breaks the chain where that was done. What no chain shows is
that lines were cut off at the end; the last entry's number says how many a reader had seen. Standard library only.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from CTSuperResolutionLib.errors import JobError
from CTSuperResolutionLib.output.lock import LockedError, lock_folder

FILE = "answers.jsonl"
START = "0" * 64  # what stands before the first line


class AnswerLog:
    """The log of one reader, open for writing in this process only.

    As a context manager it is open from entry to exit. A last line that a crash or a power cut left torn is cut off:
    it was never acknowledged.

    Args:
        folder: of this reader alone; made where it is not there.

    Raises:
        JobError: on entry, where the log is open elsewhere, was edited, or cannot be read or written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self.entries: list[dict[str, Any]] = []
        self._check = START
        self._descriptor = -1
        self._unlock: Callable[[], None] = lambda: None

    def __enter__(self) -> AnswerLog:
        folder = self.path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._unlock = lock_folder(folder)
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
            content = _read_all(self._descriptor)
            self.entries, self._check, length = parse_log(content, self.path)
            if length < len(content):
                os.ftruncate(self._descriptor, length)
            os.lseek(self._descriptor, length, os.SEEK_SET)
            os.fsync(self._descriptor)
            for place in (folder, folder.parent):
                _sync_folder(place)
        except LockedError:
            self.close()
            raise JobError(f"The log {self.path} is open in another window; close it there first.") from None
        except OSError as error:
            self.close()
            raise self._unwritable(error) from None
        except JobError:
            self.close()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def append(self, entry: Mapping[str, Any]) -> None:
        """Write an entry; when this returns, it is on the disk.

        Raises:
            JobError: it could not be written; the log is what it was before.
        """
        line, check = _line(self._check, entry)
        before = os.lseek(self._descriptor, 0, os.SEEK_CUR)
        try:
            _write_all(self._descriptor, line)
            os.fsync(self._descriptor)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, before)
                os.lseek(self._descriptor, before, os.SEEK_SET)
            raise self._unwritable(error) from None
        self._check = check
        self.entries.append(dict(entry))

    def close(self) -> None:
        """Let go of the file and its lock. Safe to call twice."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
        self._descriptor = -1
        self._unlock()
        self._unlock = lambda: None

    def _unwritable(self, error: OSError) -> JobError:
        return JobError(
            f"The answer could not be saved to {self.path} ({error.strerror}); free some space or mend the folder, and "
            "answer again."
        )


def read_log(path: Path) -> list[dict[str, Any]]:
    """The entries of a log that nobody need have open; a torn last line is left out.

    Raises:
        JobError: it cannot be read, or was edited.
    """
    try:
        return parse_log(path.read_bytes(), path)[0]
    except OSError as error:
        raise JobError(f"The log {path} cannot be read ({error.strerror}); copy it again.") from None


def parse_log(content: bytes, path: Path) -> tuple[list[dict[str, Any]], str, int]:
    """Entries of a log, the last line's check, and the bytes up to its end.

    Raises:
        JobError: the chain is broken; says at which line.
    """
    entries, check, length = [], START, 0
    for number, line in enumerate(_whole_lines(content), 1):
        try:
            values = json.loads(line)
            entry, stated = values["entry"], values["check"]
            expected, new = _line(check, entry)
        except (ValueError, KeyError, TypeError):
            raise _edited(path, number) from None
        if stated != new or line != expected:
            raise _edited(path, number)
        entries.append(entry)
        check, length = new, length + len(line)
    return entries, check, length


def _whole_lines(content: bytes) -> Iterator[bytes]:
    """Lines that end: what follows the last end of a line was being written when the power went."""
    return (line + b"\n" for line in content.split(b"\n")[:-1])


def _line(before: str, entry: Mapping[str, Any]) -> tuple[bytes, str]:
    """The line of an entry after a check, and its own check."""
    text = json.dumps(entry, sort_keys=True, separators=(",", ":"))  # ASCII: no other sign ends a line
    check = hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()
    return f'{{"check":"{check}","entry":{text}}}\n'.encode(), check


def _edited(path: Path, number: int) -> JobError:
    return JobError(
        f"The log {path} was edited or damaged at line {number}, where its chain of checksums breaks; take the file "
        "that the reader's computer wrote, or leave this reader out."
    )


def _read_all(descriptor: int) -> bytes:
    parts = []
    while part := os.read(descriptor, 1 << 20):
        parts.append(part)
    return b"".join(parts)


def _write_all(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def _sync_folder(folder: Path) -> None:
    """Have a folder's list of names on the disk, where a system can do that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
