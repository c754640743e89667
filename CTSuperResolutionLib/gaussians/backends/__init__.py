"""Backends that rasterize (on a detector) and voxelize (on a grid) a Gaussian field: CUDA, CPU library, plain torch."""
