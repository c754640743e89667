"""Options that several commands share, and the job or method that they describe."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from typing import Any

from CTSuperResolutionLib.errors import JobError, unknown
from CTSuperResolutionLib.job.job import Job
from CTSuperResolutionLib.job.method import Method, parse_settings
from CTSuperResolutionLib.job.parameters import DEFAULT_PRESET, PARAMETERS, PRESET_NAMES, PRESETS, Audience
from CTSuperResolutionLib.job.priors import DEFAULT_PRIOR

# What is not given is None, or here false or empty; a job and its method have the defaults.
METHOD_OPTIONS = ("scale", "spacing", "preset", "prior", "seed", "device")
JOB_OPTIONS = ("roi", "series", "allow_unusual", "untilt", "memory", "fresh")


def add_input_options(parser: argparse.ArgumentParser) -> None:
    """Options for reading the scan."""
    group = parser.add_argument_group("reading")
    group.add_argument("--series", help="number or UID of the series to read, in a DICOM folder with several")
    group.add_argument("--allow-unusual", action="store_true", help="go on where the input does not look like a CT")
    group.add_argument(
        "--untilt", action="store_true", help="shift slices that a tilted gantry displaces sideways to a straight grid"
    )


def add_method_options(parser: argparse.ArgumentParser, *, preset: str | None = None) -> None:
    """Options for the method, with a preset where it is not to be the method's own, and its parameters' table."""
    group = parser.add_argument_group("method")
    group.add_argument(
        "--scale", help="a whole factor from 2 to 10, three factors z,y,x such as 4,1,1, or isotropic (default 4)"
    )
    group.add_argument(
        "--spacing",
        metavar="MM",
        help="in place of a scale the spacing of the result in mm: one for all axes that are coarser, or z,y,x",
    )
    group.add_argument("--preset", default=preset, help=preset_help(preset or DEFAULT_PRESET))
    group.add_argument("--device", help="auto, cpu or cuda (default auto)")
    group.add_argument(
        "--prior",
        help="folder of a prior, a guided-diffusion checkpoint (.pt), or a name: "
        f"{DEFAULT_PRIOR}, or hub:OWNER/NAME once 'ctsr fetch-prior' has fetched it (default {DEFAULT_PRIOR})",
    )
    group.add_argument("--seed", type=int, help="of all random numbers (default 0)")
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a parameter of the lists below otherwise than the preset does; may be repeated",
    )
    columns = ", ".join(PRESET_NAMES)
    parser.epilog = (
        f"parameters ({columns}):\n{_table('user')}\n\n"
        f"parameters for ablations, which compare parts of the method ({columns}):\n{_table('ablation')}"
    )


def add_region_option(parser: argparse.ArgumentParser) -> None:
    """Option for the region of interest."""
    parser.add_argument(
        "--roi", metavar="z0:z1,y0:y1,x0:x1", help="work on this part only, in input voxels, stop excluded"
    )


def add_memory_option(parser: argparse.ArgumentParser) -> None:
    """Option for the memory that a job may take."""
    parser.add_argument(
        "--memory",
        metavar="SIZE",
        help="memory that the job may take, such as 4GB: a large scan is worked on in as many slabs as that asks for "
        "(default: four fifths of what is free)",
    )


def preset_help(default: str) -> str:
    """Help of the option for the preset."""
    return f"{'; '.join(f'{name}: {purpose}' for name, purpose in PRESETS.items())} (default {default})"


def parse_crop(text: str) -> tuple[int, int, int]:
    """Voxels along (z, y, x) of an option such as "128,192,192".

    Raises:
        JobError: it is no such text.
    """
    sides = re.fullmatch(r"([1-9]\d{0,4}),([1-9]\d{0,4}),([1-9]\d{0,4})", text.replace(" ", ""))
    if sides is None:
        raise JobError(f"The crop '{text}' is not three numbers of voxels z,y,x such as 128,192,192.")
    return int(sides[1]), int(sides[2]), int(sides[3])


def given_entries(options: argparse.Namespace) -> dict[str, Any]:
    """The entries of a job.json that the options give; those of the scan and the folder are no options.

    Raises:
        JobError: a setting is not of the form name=value, or a scale and a spacing are given.
    """
    values = {name: getattr(options, name, None) for name in (*METHOD_OPTIONS, *JOB_OPTIONS)}
    given = {name: value for name, value in values.items() if value is not None and value is not False}
    if "scale" in given and "spacing" in given:
        raise JobError("Give --scale or --spacing, not both.")
    return given | ({"settings": parse_settings(options.set)} if options.set else {})


def method_of(options: argparse.Namespace) -> Method:
    """The method that the options describe.

    Raises:
        JobError: it is not allowed.
    """
    return Method(**{name: value for name, value in given_entries(options).items() if name not in JOB_OPTIONS})


def job_of(options: argparse.Namespace, input: str, output: str) -> Job:
    """The job that the options describe.

    Raises:
        JobError: it is not allowed.
    """
    return Job.from_dict({"input": input, "output": output, **given_entries(options)})


def _table(audience: Audience) -> str:
    rows = []
    for parameter in PARAMETERS.values():
        if parameter.audience != audience:
            continue
        values = list(dict.fromkeys(map(str, parameter.defaults.values())))
        limits = "|".join(parameter.choices) or f"{parameter.low:g} to {parameter.high:g} {parameter.unit}".strip()
        shown = values[0] if len(values) == 1 else ", ".join(map(str, parameter.defaults.values()))
        rows.append(f"  {parameter.name:<18} {shown:<28} {parameter.help} ({limits})")
    return "\n".join(rows)


def require_action(command: str, options: argparse.Namespace, actions: Mapping[str, int]) -> None:
    """Refuse an action that a command does not have, or another number of paths than it takes.

    Args:
        command: its name. options: with ``action`` and ``paths``. actions: how many paths each takes.

    Raises:
        JobError: says which there are, or how many.
    """
    if options.action not in actions:
        raise unknown(f"action of ctsr {command}", options.action, actions)
    if len(options.paths) != actions[options.action]:
        raise JobError(
            f"'ctsr {command} {options.action}' takes {actions[options.action]} paths and not {len(options.paths)}; "
            f"see 'ctsr {command} --help'."
        )
