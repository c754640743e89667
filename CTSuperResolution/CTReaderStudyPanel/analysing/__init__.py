"""Analysis of a study: how far its readers are, and the report of their answers."""
