"""Options that several commands share, and the job or method that they describe."""

from __future__ import annotations

import argparse

from CTSuperResolutionLib.job.job import Job
from CTSuperResolutionLib.job.method import Method, parse_settings
from CTSuperResolutionLib.job.parameters import DEFAULT_PRESET, PARAMETERS, PRESET_NAMES, PRESETS, Audience
from CTSuperResolutionLib.job.priors import DEFAULT_PRIOR


def add_input_options(parser: argparse.ArgumentParser) -> None:
    """Options for reading the scan."""
    group = parser.add_argument_group("reading")
    group.add_argument("--series", help="number or UID of the series to read, in a DICOM folder with several")
    group.add_argument("--allow-unusual", action="store_true", help="go on where the input does not look like a CT")
    group.add_argument(
        "--untilt", action="store_true", help="shift slices that a tilted gantry displaces sideways to a straight grid"
    )


def add_method_options(parser: argparse.ArgumentParser, *, preset: str = DEFAULT_PRESET) -> None:
    """Options for the method, and the table of its parameters below the help."""
    group = parser.add_argument_group("method")
    group.add_argument(
        "--scale",
        default="4",
        help="a whole factor from 2 to 10, three factors z,y,x such as 4,1,1, or isotropic (default 4)",
    )
    group.add_argument("--preset", default=preset, help=preset_help(preset))
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


def preset_help(default: str) -> str:
    """Help of the option for the preset."""
    return f"{'; '.join(f'{name}: {purpose}' for name, purpose in PRESETS.items())} (default {default})"


def method_of(options: argparse.Namespace) -> Method:
    """The method that the options describe.

    Raises:
        JobError: it is not allowed.
    """
    return Method(
        scale=options.scale,
        preset=options.preset,
        settings=parse_settings(options.set),
        prior=options.prior,
        seed=options.seed,
        device=options.device,
    )


def job_of(options: argparse.Namespace, input: str, output: str) -> Job:
    """The job that the options describe.

    Raises:
        JobError: it is not allowed.
    """
    names = ("roi", "series", "allow_unusual", "untilt")
    given = {name: getattr(options, name) for name in names if hasattr(options, name)}
    return Job(method_of(options), input, output, **given)


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
