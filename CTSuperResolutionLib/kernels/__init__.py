"""The kernels as Python finds them: their files, their constants, and the CPU library."""
