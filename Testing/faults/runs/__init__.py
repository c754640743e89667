"""Faults against ``ctsr run``: a tiny job as a child process, what is done to it, and what must hold afterwards."""
