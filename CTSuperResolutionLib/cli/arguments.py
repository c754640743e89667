"""Options that several commands share."""

from __future__ import annotations

import argparse
from typing import Any

from CTSuperResolutionLib.job.job import JobSpec, parse_settings
from CTSuperResolutionLib.job.parameters import DEFAULT_PRESET, PARAMETERS, PRESET_NAMES
from CTSuperResolutionLib.job.priors import DEFAULT_PRIOR


def add_input_options(parser: argparse.ArgumentParser) -> None:
    """How to read the scan."""
    group = parser.add_argument_group("reading")
    group.add_argument("--series", help="number or UID of the series to read, in a DICOM folder with several")
    group.add_argument("--allow-unusual", action="store_true", help="go on where the input does not look like a CT")


def add_method_options(parser: argparse.ArgumentParser, *, preset: str = DEFAULT_PRESET) -> None:
    """How to super-resolve it."""
    group = parser.add_argument_group("method")
    group.add_argument(
        "--scale", default="4", help="2, 4, 8, three factors z,y,x such as 4,1,1, or isotropic (default 4)"
    )
    group.add_argument("--preset", default=preset, help=f"{', '.join(PRESET_NAMES)} (default {preset})")
    group.add_argument("--device", default="auto", help="auto, cpu or cuda (default auto)")
    group.add_argument(
        "--prior",
        default=DEFAULT_PRIOR,
        help="folder of a prior, a guided-diffusion checkpoint (.pt), or a name: "
        f"{DEFAULT_PRIOR}, or hub:OWNER/NAME once 'ctsr fetch-prior' has fetched it (default {DEFAULT_PRIOR})",
    )
    group.add_argument("--seed", type=int, default=0, help="of all random numbers (default 0)")
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a parameter of the list below otherwise than the preset does; may be repeated",
    )
    parser.epilog = f"parameters ({', '.join(PRESET_NAMES)}):\n{_table()}"


def add_region_option(parser: argparse.ArgumentParser) -> None:
    """Where in the scan to work."""
    parser.add_argument(
        "--roi", metavar="z0:z1,y0:y1,x0:x1", help="work on this part only, in input voxels, stop excluded"
    )


def job_spec(options: argparse.Namespace, **values: Any) -> JobSpec:
    """The job that the options describe.

    Raises:
        JobError: it is not allowed.
    """
    names = ("scale", "preset", "device", "prior", "seed", "roi", "series", "allow_unusual")
    given = {name: getattr(options, name) for name in names if hasattr(options, name)}
    return JobSpec(**given, settings=dict(parse_settings(options.set)), **values)


def _table() -> str:
    rows = []
    for parameter in PARAMETERS.values():
        values = list(dict.fromkeys(map(str, parameter.defaults.values())))
        limits = "|".join(parameter.choices) or f"{parameter.low:g} to {parameter.high:g} {parameter.unit}".strip()
        shown = values[0] if len(values) == 1 else ", ".join(map(str, parameter.defaults.values()))
        rows.append(f"  {parameter.name:<15} {shown:<22} {parameter.help} ({limits})")
    return "\n".join(rows)
