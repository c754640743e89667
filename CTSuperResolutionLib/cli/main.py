"""Command line of ``ctsr``: it is parsed, a command runs, and one result or one error sentence ends it."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import re
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from CTSuperResolutionLib import __version__
from CTSuperResolutionLib.cli import (
    audit,
    batch,
    bench,
    degrade,
    demo,
    evaluate,
    fetch_prior,
    info,
    reconstruct,
    run,
    serve,
    simulate,
    study,
    train_prior,
    train_slice_fixer,
)
from CTSuperResolutionLib.cli.streams import STDIN, stderr_for_progress, stdout_for_events, takes_jobs, wants_json
from CTSuperResolutionLib.cli.wording import error_sentence
from CTSuperResolutionLib.errors import Cancelled, JobError
from CTSuperResolutionLib.job.cancellation import Cancellation
from CTSuperResolutionLib.job.events import JsonLines, Reporter, describe_error
from CTSuperResolutionLib.job.process import is_pipe
from CTSuperResolutionLib.job.terminal import TerminalBar

COMMANDS = {
    "run": run,
    "batch": batch,
    "serve": serve,
    "demo": demo,
    "degrade": degrade,
    "simulate": simulate,
    "reconstruct": reconstruct,
    "fetch-prior": fetch_prior,
    "train-prior": train_prior,
    "train-slice-fixer": train_slice_fixer,
    "evaluate": evaluate,
    "audit": audit,
    "study": study,
    "info": info,
    "bench": bench,
}


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are JobErrors: one sentence, as everything else gets."""

    def __init__(self, **values: Any) -> None:
        super().__init__(allow_abbrev=False, **values)  # --pre must not mean --preset today and --prefix tomorrow

    def error(self, message: str) -> NoReturn:
        alone = re.fullmatch(r"argument (?:-\w, )?(--[\w-]+): expected one argument", message)
        if alone:  # argparse takes -4GB for another option
            message = f"{alone[1]} takes a value, and one that begins with a minus as {alone[1]}=VALUE"
        raise JobError(f"{message[:1].upper()}{message[1:].rstrip('.')}; see '{self.prog} --help'.")


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    common = Parser(add_help=False)
    shared = common.add_argument_group("messages")
    shared.add_argument("--events", choices=("text", "json"), default="text", help="progress as text or JSON lines")
    shared.add_argument("--debug", action="store_true", help="show warnings and the traceback of an error")
    parser = Parser(prog="ctsr", description="Zero-shot CT super-resolution. For research, not for diagnosis.")
    parser.add_argument("--version", action="version", version=f"ctsr {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        summary = str(command.__doc__).splitlines()[0].split(": ", 1)[1]
        formatter = argparse.RawDescriptionHelpFormatter
        own = commands.add_parser(
            name, parents=[common], help=summary, description=command.__doc__, formatter_class=formatter
        )
        command.add_arguments(own)
    return parser


def main(arguments: Sequence[str] | None = None, *, ended: Callable[[int], None] = lambda code: None) -> int:
    """Run one command and return the exit code: 0 done, 1 internal error, 2 not possible as asked, 3 cancelled.

    Args:
        arguments: of the command line; None for those of this process.
        ended: told the exit code before the last word is said, from when on it is too late to stop.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    as_json, debug = wants_json(arguments), "--debug" in arguments
    cancellation = Cancellation()
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(stdout_for_events()) if as_json else None
        # In text mode, stdin belongs to the shell: `while read scan; do ctsr info $scan; done` needs the rest, and
        # `ctsr run … &` goes on when the shell ends. A program that waits for events has the other end of a pipe.
        awaited = output is not None and (is_pipe(STDIN) or is_pipe(output))
        listens = as_json and not takes_jobs(arguments)
        write: Callable[[dict[str, Any]], None]
        if output is not None:
            write = JsonLines(output, on_broken=lambda: cancellation.request("nobody reads the events any more"))
        else:
            write = TerminalBar(stack.enter_context(stderr_for_progress()))
        reporter = Reporter(write, cancellation=cancellation, memory=_memory, wording=error_sentence)
        cancellation.on_kill(lambda: reporter.error(Cancelled(cancellation.message)))
        try:
            stack.enter_context(cancellation.watching(stdin=listens, parent=awaited, output=output))
            stack.enter_context(reporter.ticking())
            stack.enter_context(warnings.catch_warnings())
            _prepare_libraries(debug)
            options = make_parser().parse_args(arguments)
            command = COMMANDS[options.command]
            found = command.execute(options, reporter)
            cancellation.close()
            cancellation.finish(0)
            ended(0)
            reporter.result(found)
            if not as_json:
                _show(command.describe(found))
        except Exception as error:
            if debug:
                traceback.print_exc()
            code = describe_error(error)["exit_code"]
            cancellation.finish(code)
            ended(code)
            reporter.error(error)
            return code
    return 0


def _show(text: str) -> None:
    """Print what was found. That nobody reads it, or not in this encoding, changes nothing: the work is done."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    with contextlib.suppress(OSError, ValueError):
        print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)


def _memory() -> dict[str, float]:
    from CTSuperResolutionLib import machine

    return machine.memory()


def _prepare_libraries(debug: bool) -> None:
    """No library's warnings between the user and the one sentence, none that asks the internet, none that spins."""
    # Before torch is loaded: threads that spin while they wait make every stage many times slower on a busy computer.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # diffusers loads torch's compiler, which makes a folder for what it might compile: one that is there already.
    compiled = os.path.abspath(os.sep)
    with contextlib.suppress(OSError):  # no folder for temporary files, as in a container that cannot be written
        compiled = tempfile.gettempdir()
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", compiled)
    if not debug:
        os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
        os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
        logging.getLogger("matplotlib").setLevel(logging.ERROR)
        warnings.simplefilter("ignore")
