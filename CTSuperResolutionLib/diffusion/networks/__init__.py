"""Networks that predict noise, and the protocol that they share as denoisers."""
