"""Sections of the panel: widgets that show and change its state."""
