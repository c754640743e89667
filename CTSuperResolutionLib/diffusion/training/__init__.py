"""Training a prior: images, targets, loop."""
