"""slicer.i18n: texts that a translator can translate. The host leaves them in English."""

from __future__ import annotations

import os

__all__ = ["getContext", "tr", "translate"]


def getContext(sourceFile: str) -> str:
    """The context of a file's texts: its folder, or its name within a package."""
    name = os.path.splitext(os.path.basename(sourceFile))[0]
    return os.path.basename(os.path.dirname(sourceFile)) if name == "__init__" else name


def translate(context: str, text: str) -> str:
    """The text in the user's language."""
    if not isinstance(context, str) or not isinstance(text, str):
        raise ValueError(f"translate takes a context and what to translate, not {context!r} and {text!r}.")
    return text


def tr(text: str) -> str:
    """The text in the user's language, with the calling file as its context."""
    return translate("", text)
