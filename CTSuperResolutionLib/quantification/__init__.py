"""Quantities that are read from CT numbers: shifts by tissue, lung densitometry, noise power."""
