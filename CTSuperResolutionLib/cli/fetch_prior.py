"""ctsr fetch-prior: download a prior from the Hugging Face hub, to be used by its name from then on.

The only command that connects to the internet. It says what it would download, from where and under which licence,
and asks first. The paper's prior is hub:Hyun-Jic/ddnm-xray512-ct-projection-prior.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

from CTSuperResolutionLib.errors import Cancelled, JobError
from CTSuperResolutionLib.job.events import Reporter
from CTSuperResolutionLib.job.priors import hub_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("name", metavar="hub:OWNER/NAME", help="repository with a guided-diffusion checkpoint")
    parser.add_argument("--file", metavar="F", help="the checkpoint, where the repository has several")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def execute(options: argparse.Namespace, progress: Reporter) -> dict[str, Any]:
    """Run the command."""
    folder = hub_folder(options.name)
    if options.events == "json" and not options.yes:
        raise JobError("With --events json nobody can be asked; add --yes.")
    os.environ["HF_HUB_OFFLINE"] = "0"  # which keeps all other commands from connecting
    os.environ.setdefault("HF_HUB_DISABLE_XET", "1")  # plain HTTP, for it can be watched and stopped
    progress.stage("look")
    from CTSuperResolutionLib.diffusion import hub

    found = hub.look_up(options.name, options.file)
    progress.advance()
    progress.note(
        f"{found.file}, {_size(found.size)}, licence {found.licence}, revision {found.revision}, SHA-256 {found.sha256}"
    )
    if not hub.is_fetched(found):
        if not options.yes:
            _ask(f"Download {_size(found.size)} and convert it, which takes twice as much on the disk for a while?")
        progress.plan({"download": found.size / 1e7, "convert": found.size / 2e8})
        progress.cancellation.on_kill(lambda: hub.discard(found))
        hub.fetch(found, progress)
    return {"prior": options.name, "folder": str(folder), "licence": found.licence, "sha256": found.sha256}


def describe(found: dict[str, Any]) -> str:
    """The result as a terminal shows it."""
    return f"ready: --prior {found['prior']}\n  {found['folder']}"


def _ask(question: str) -> None:
    try:
        answer = input(f"{question} [y/N] ")
    except EOFError:
        raise JobError("There is nobody to ask whether to download; add --yes.") from None
    if answer.strip().lower() not in ("y", "yes"):
        raise Cancelled("Nothing was downloaded, as you wished.")


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
