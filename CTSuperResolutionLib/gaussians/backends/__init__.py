"""The two operations a backend offers, rasterize and voxelize; the torch twin is the readable reference."""
