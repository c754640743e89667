"""Reconstruction of volumes from few projections: stacks and their geometry, baselines, fitted representations."""
