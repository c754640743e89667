"""Voxel data of image files, plain or compressed, decoded plane by plane: no more is held than is asked for."""

from __future__ import annotations

import bz2
import contextlib
import io
import os
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import numpy as np

CHUNK_BYTES = 1 << 20
GZIP_MARK = b"\x1f\x8b"

Encoding = Literal["raw", "deflate", "bzip2", "text"]
"""``deflate`` is gzip or zlib, told apart by what the data begin with."""


class BrokenDataError(Exception):
    """The data end too early or cannot be decoded."""


@dataclass(frozen=True)
class VoxelData:
    """Numbers in a file, the first axis of the volume the slowest.

    Attributes:
        path: the file.
        offset: bytes before the data, encoded as they are; −1 if they end with the file (raw only).
        skip: bytes to leave out once they are decoded.
        encoding: see :data:`Encoding`.
        kind: type of a number, byte order included.
        shape: (z, y, x).
        slope, intercept: value = slope × number + intercept.
    """

    path: Path
    offset: int
    skip: int
    encoding: Encoding
    kind: np.dtype
    shape: tuple[int, int, int]
    slope: float = 1.0
    intercept: float = 0.0

    def planes(self, start: int, stop: int) -> Iterator[np.ndarray]:
        """The planes (y, x), float32, from ``start`` to before ``stop``.

        Compressed data are decoded to their end, for only that shows that they are whole.

        Raises:
            BrokenDataError: too few bytes, or a checksum that does not hold.
            OSError: the file cannot be read.
        """
        _, rows, columns = self.shape
        size = rows * columns * self.kind.itemsize
        try:
            with self._decoded() as stream:
                if self.encoding == "raw":
                    stream.seek(self._start() + start * size)
                else:
                    _pass_over(stream, self.skip + start * size)
                for _ in range(start, stop):
                    numbers = np.frombuffer(_read(stream, size), self.kind).reshape(rows, columns)
                    yield self._values(numbers)
                if self.encoding != "raw":
                    _pass_over(stream, (self.shape[0] - stop) * size)
                    stream.read(CHUNK_BYTES)  # what follows the data, if little: the checksum is behind it
        except (zlib.error, EOFError, ValueError) as error:
            raise BrokenDataError from error

    def require_whole(self) -> None:
        """Check, as far as that is possible without decoding, that the data are all there.

        Raises:
            BrokenDataError: the file is too short.
        """
        if self.encoding == "raw" and self._start() + self._size > self.path.stat().st_size:
            raise BrokenDataError
        if self.encoding == "raw" and self._start() < 0:
            raise BrokenDataError

    @property
    def _size(self) -> int:
        """Bytes of all numbers, decoded."""
        planes, rows, columns = self.shape
        return planes * rows * columns * self.kind.itemsize

    def _start(self) -> int:
        return self.path.stat().st_size - self._size if self.offset < 0 else self.offset + self.skip

    @contextlib.contextmanager
    def _decoded(self) -> Iterator[IO[bytes]]:
        with open_plain(self.path) as file:
            file.seek(max(self.offset, 0))
            if self.encoding == "raw":
                yield file
            elif self.encoding == "deflate":
                yield io.BufferedReader(Inflated(file), CHUNK_BYTES)
            elif self.encoding == "bzip2":
                yield io.BufferedReader(_Bunzipped(file), CHUNK_BYTES)
            else:
                numbers = np.array(file.read().split(), dtype=np.float64)
                yield io.BytesIO(numbers.astype(self.kind).tobytes())

    def _values(self, numbers: np.ndarray) -> np.ndarray:
        if (self.slope, self.intercept) != (1.0, 0.0):
            numbers = numbers.astype(np.float64) * self.slope + self.intercept
        with np.errstate(over="ignore"):  # doubles beyond floats become infinite, and are refused as that
            return numbers.astype(np.float32)


class Inflated(io.RawIOBase):
    """What a gzip or zlib stream holds, from where its file stands; all members of a gzip file, one after the other."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._decoder = zlib.decompressobj(47)  # either kind of header
        self._waiting = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer in part or whole.

        Raises:
            zlib.error: the stream is damaged.
            EOFError: it ends before its checksum.
        """
        while True:
            if self._decoder.eof:
                rest = self._decoder.unused_data + self._file.read(CHUNK_BYTES)
                if not rest.startswith(GZIP_MARK):
                    return 0
                self._decoder, self._waiting = zlib.decompressobj(47), rest
            data = self._waiting or self._file.read(CHUNK_BYTES)
            found = self._decoder.decompress(data, len(buffer))
            self._waiting = self._decoder.unconsumed_tail
            if found:
                buffer[: len(found)] = found
                return len(found)
            if not data and not self._decoder.eof:
                raise EOFError


class _Bunzipped(io.RawIOBase):
    """What a bzip2 stream holds. Damaged data raise EOFError, not OSError as a disk does."""

    def __init__(self, file: IO[bytes]) -> None:
        self._stream = bz2.BZ2File(file)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            return self._stream.readinto(buffer)
        except OSError as error:
            raise EOFError from error


def open_plain(path: Path) -> IO[bytes]:
    """Open a regular file to read; a pipe or a device, which may never end, is none.

    Raises:
        OSError: it cannot be read, or is not a regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(None, "it is not a regular file", str(path))
    return os.fdopen(descriptor, "rb")


def _read(stream: IO[bytes], count: int) -> bytearray:
    found = bytearray()
    while len(found) < count:
        part = stream.read(count - len(found))
        if not part:
            raise EOFError
        found += part
    return found


def _pass_over(stream: IO[bytes], count: int) -> None:
    while count:
        part = stream.read(min(count, CHUNK_BYTES))
        if not part:
            raise EOFError
        count -= len(part)
