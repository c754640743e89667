"""Cohorts: many scans, each with a job of its own, done by this computer, a Ray cluster or Slurm."""
