"""Thorax phantom: a made-up chest with real anatomy, for demonstrations, tests and benchmarks."""

from CTSuperResolutionLib.phantom.assembly import thorax

__all__ = ["thorax"]
