"""Comparing two or three volumes: linked views, curtain, flicker, difference, line profile."""
