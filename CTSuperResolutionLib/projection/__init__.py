"""Projection of volumes along the rays of a simulated scan, and back."""
