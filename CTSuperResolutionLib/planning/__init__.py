"""What a job will need, before any of it is done."""
