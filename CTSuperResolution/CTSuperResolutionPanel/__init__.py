"""Panel of the Slicer module. Importing the package makes CTSuperResolutionLib importable."""

from CTSuperResolutionPanel.library import add_to_path

add_to_path()
