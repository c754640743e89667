"""Audit of results against a truth: structure that was invented or lost, and lesions found and measured."""
