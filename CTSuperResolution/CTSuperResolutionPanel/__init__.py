"""The parts of the module's panel, one a file. Importing the package makes CTSuperResolutionLib importable."""

from CTSuperResolutionPanel.library import add_to_path

add_to_path()
