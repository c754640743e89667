"""NAB-GS: a field of signed 3D Gaussians that learns a residual volume from its projections."""
