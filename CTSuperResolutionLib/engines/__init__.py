"""Engines that share the work of many tasks: a cluster of computers."""
