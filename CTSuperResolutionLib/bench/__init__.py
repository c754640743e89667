"""Benchmark of the backends: their speed and memory on this machine, and how near they come to its limits."""
