"""How fast the Gaussians are drawn on this machine, by every backend, and how near that is to what the machine can."""
