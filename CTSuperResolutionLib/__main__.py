"""``python -m CTSuperResolutionLib`` is ``ctsr``."""

from CTSuperResolutionLib.cli.start import entry

if __name__ == "__main__":
    entry()
