"""Words for the part of the body that a slice is of: prompts of a slice fixer on a text-to-image model. No imports."""

from __future__ import annotations

WORDS = ("chest", "abdomen", "pelvis", "head")
