"""The diffusion prior over X-ray projections, its training, and the DDNM+ sampler that restores views with it."""
