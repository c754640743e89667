"""Injection of faults inside a process: wrappers around the file layer, the clocks and large allocations."""
