"""The networks that a prior may have."""
