"""``python -m CTSuperResolutionLib`` is ``ctsr``."""

from CTSuperResolutionLib.cli.main import entry

if __name__ == "__main__":
    entry()
