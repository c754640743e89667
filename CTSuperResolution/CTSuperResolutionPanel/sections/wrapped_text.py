"""Text that wraps, in a label that keeps the height it takes."""

from __future__ import annotations

import qt

LEAST_WIDTH = 200
"""Of a label, pixels, once the panel has been laid out."""


def set_wrapped_text(label: qt.QLabel, text: str) -> None:
    """Set a label's text and keep room for all its lines: layouts count it as if it did not wrap, and then press what
    is below it together.
    """
    label.text = text
    label.minimumHeight = label.heightForWidth(label.width) if text and label.width > LEAST_WIDTH else 0
