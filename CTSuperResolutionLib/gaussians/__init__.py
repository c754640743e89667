"""Signed 3D Gaussians (NAB-GS): a field that learns a residual volume from its projections."""
