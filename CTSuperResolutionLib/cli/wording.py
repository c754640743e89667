"""Wording of errors on the command line: remedies with the options that they are taken with."""

from __future__ import annotations

from CTSuperResolutionLib import errors
from CTSuperResolutionLib.errors import JobError, Remedy


def error_sentence(error: JobError) -> str:
    """The one sentence of an error that the command line shows."""
    return errors.sentence(error, remedy_words)


def remedy_words(remedy: Remedy) -> str:
    """A remedy with the option that it is taken with."""
    match remedy:
        case errors.SmallerRegion(ranges=None):
            return "a region of interest with --roi"
        case errors.SmallerRegion(ranges=tuple() as ranges):
            return f"a region such as --roi {errors.region_text(ranges)}"
        case errors.LowerPreset(name=None):
            return "a lower --preset"
        case errors.LowerPreset() | errors.OtherDevice():
            return f"--{remedy}"
        case errors.LowerScale():
            return "a lower --scale"
        case errors.SmallerPrior():
            return "a smaller --prior"
        case errors.OtherOption(name=name):
            return remedy.words(f"--{name}")
        case errors.AcceptUnusual(effect=effect):
            return f"pass --allow-unusual to {effect}"
        case errors.Untilt():
            return "pass --untilt to shift its slices upright"
        case errors.Regrid():
            return "pass --regrid to bring them onto the first one's"
        case errors.ReportBug():
            return "run it again with --debug and report what that prints"
    return str(remedy)
