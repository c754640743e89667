"""Training of a prior: examples from CTs, radiographs and dead leaves, training targets, and the loop."""
