"""The degradation by a scanner: the operator A and its A†, upsampling, noise, data consistency, simulation."""
