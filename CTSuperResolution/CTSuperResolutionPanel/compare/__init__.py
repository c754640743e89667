"""Comparison of two or three volumes: linked views, swipe view, flicker, difference, line profile."""
