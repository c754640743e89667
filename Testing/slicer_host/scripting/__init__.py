"""Slicer's own Python modules that slicer-core does not bring: scripted modules, parameter nodes, translation."""
