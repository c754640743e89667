"""Evaluation: CTs are degraded, super-resolved by several methods, and the results scored."""
