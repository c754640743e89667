"""Widgets of CTK and Slicer, made of PySide's: each under its own name, with its own properties and signals."""
