"""Output of a job: its files, how they reach their folder, and the run that makes them."""
