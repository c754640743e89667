"""Zero-shot CT super-resolution: a 2D X-ray diffusion prior, signed 3D Gaussians and the scan itself.

Importing the package imports nothing heavy: 3D Slicer's own process reads :mod:`CTSuperResolutionLib.job` from it,
and must never load torch.
"""

__version__ = "0.1.0"
