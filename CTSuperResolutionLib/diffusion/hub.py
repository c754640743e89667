"""Download of checkpoints from the Hugging Face hub: the only module of the library that connects to the internet.

Imported first by a command that wants it, after it has allowed connections: see ``ctsr fetch-prior``.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import RepositoryNotFoundError

from CTSuperResolutionLib.diffusion.prior_folder import SOURCE, sha256_of
from CTSuperResolutionLib.errors import Cancelled, JobError, OtherOption
from CTSuperResolutionLib.job.events import Progress
from CTSuperResolutionLib.job.priors import CHECKPOINTS, cache_folder, hub_folder, hub_repository

MB = 1_000_000


@dataclass(frozen=True)
class HubCheckpoint:
    """A checkpoint file on the hub.

    Attributes:
        name: of the prior, hub:OWNER/NAME. file: path in that repository. revision: its commit.
        size: bytes. sha256: of the content. licence: as the repository states it.
    """

    name: str
    file: str
    revision: str
    size: int
    sha256: str
    licence: str


def look_up(name: str, file: str | None = None) -> HubCheckpoint:
    """Ask the hub for a checkpoint.

    Args:
        name: hub:OWNER/NAME.
        file: path in the repository; None for the only checkpoint (.pt, .pth) in it.

    Raises:
        JobError: the hub does not answer, or has no such repository or file.
    """
    repository = hub_repository(name)
    with _connection_errors(f"The hub could not be asked for {repository}"):
        found = HfApi(token=False).model_info(repository, files_metadata=True)
    files = {entry.rfilename: entry for entry in found.siblings or ()}
    checkpoints = [path for path in files if path.lower().endswith(CHECKPOINTS)]
    if file is None:
        if len(checkpoints) != 1:
            raise JobError(
                f"The repository {repository} has {len(checkpoints)} checkpoints",
                OtherOption("file", f"one with {{}}{': ' * bool(checkpoints)}{', '.join(checkpoints)}"),
            )
        file = checkpoints[0]
    if file not in checkpoints:
        raise JobError(
            f"The repository {repository} has no checkpoint {file}; it has {', '.join(checkpoints) or 'none'}."
        )
    size, lfs = files[file].size, files[file].lfs
    if size is None or lfs is None or found.sha is None:
        raise JobError(f"The hub states no checksum of {file} in {repository}; choose another file.")
    licence = next(
        (tag.removeprefix("license:") for tag in found.tags or () if tag.startswith("license:")), "not stated"
    )
    return HubCheckpoint(name, file, found.sha, size, lfs.sha256, licence)


def is_fetched(checkpoint: HubCheckpoint) -> bool:
    """Whether that very file was fetched already."""
    try:
        source = json.loads((hub_folder(checkpoint.name) / SOURCE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return source == asdict(checkpoint)


def fetch(checkpoint: HubCheckpoint, progress: Progress) -> Path:
    """Download a checkpoint, verify and convert it.

    Args:
        checkpoint: from :func:`look_up`.
        progress: gets the stages "download", a step a megabyte, and "convert".

    Returns:
        The folder that the prior's name leads to from now on.

    Raises:
        JobError, Cancelled: and then nothing of it is left behind.
    """
    folder, staging = hub_folder(checkpoint.name), _staging(checkpoint)
    discard(checkpoint)  # what a killed process may have left
    try:
        _make_room(staging, 2 * checkpoint.size)  # as it comes, and converted
        progress.stage("download", max(1, checkpoint.size // MB))
        with _connection_errors(f"The checkpoint {checkpoint.file} could not be downloaded"):
            file = hf_hub_download(
                hub_repository(checkpoint.name),
                checkpoint.file,
                revision=checkpoint.revision,
                local_dir=staging,
                token=False,
                tqdm_class=_progress_bar(progress),
            )
        progress.stage("convert", 2)
        if sha256_of(Path(file)) != checkpoint.sha256:
            raise JobError(
                f"The checkpoint {checkpoint.file} came otherwise than the hub describes it; fetch it again."
            )
        progress.advance()
        # It loads torch, and the bytes have to come first.
        from CTSuperResolutionLib.diffusion.checkpoint_conversion import convert_checkpoint

        convert_checkpoint(Path(file), folder, source=asdict(checkpoint))
        progress.advance()
    finally:
        discard(checkpoint)
    return folder


def discard(checkpoint: HubCheckpoint) -> None:
    """Remove what has come of a download."""
    shutil.rmtree(_staging(checkpoint), ignore_errors=True)


def _staging(checkpoint: HubCheckpoint) -> Path:
    return cache_folder() / "downloads" / checkpoint.sha256


def _make_room(folder: Path, needed: int) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise JobError(f"The folder {folder} cannot be written ({error.strerror}); make it writable.") from None
    if free < needed:
        raise JobError(
            f"The disk of {folder} has {free / 1e9:.1f} GB free and the prior takes {needed / 1e9:.1f} GB for a while; "
            "free some space."
        )


def _progress_bar(progress: Progress) -> type:
    """A class in place of the progress bar of the hub's library, which advances ours."""

    class Bar:
        def __init__(self, **options: object) -> None:
            self._bytes = self._told = 0

        def __enter__(self) -> Bar:
            return self

        def __exit__(self, *error: object) -> None:
            pass

        def update(self, count: int) -> None:
            self._bytes += count
            new = self._bytes // MB - self._told
            self._told += new
            progress.advance(new)

    return Bar


@contextmanager
def _connection_errors(failed: str) -> Iterator[None]:
    """Errors of the connection as one sentence."""
    try:
        yield
    except (JobError, Cancelled):
        raise
    except RepositoryNotFoundError:
        raise JobError(f"{failed}, for it has no such public repository; check the name.") from None
    except Exception as error:  # of httpx or requests, whichever the hub's library uses, of sockets, of files
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise JobError(f"{failed} ({lines[0].rstrip('.')}); check the connection and run it again.") from error
