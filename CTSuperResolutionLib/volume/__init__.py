"""CT volumes: reading and checking them, their voxel grid, their intensities, and writing them."""
