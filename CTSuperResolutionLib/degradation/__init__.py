"""How a scanner blurs and samples, and what follows from that: A, A†, noise, data consistency, simulation."""
