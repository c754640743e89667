"""Sample: files of one scan, damaged or changed in some way, and which of them is to be read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from inputs.scan import Scan


@dataclass(frozen=True)
class Sample:
    """Files of a scan.

    Attributes:
        files: contents by name. A text is the target of a symbolic link, None a named pipe.
        entry: the file to read, or "." for the folder.
        about: what was done to it.
        scan: what the files say, or said before they were changed.
    """

    files: dict[str, bytes | str | None]
    entry: str
    about: str
    scan: Scan

    def write(self, folder: Path) -> Path:
        """Put the files into an empty folder and return what is to be read."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                os.mkfifo(path)
            elif isinstance(content, str):
                path.symlink_to(content)
            else:
                path.write_bytes(content)
        return folder / self.entry
