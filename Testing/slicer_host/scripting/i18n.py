"""slicer.i18n: texts that a translator can translate. The host leaves them in English."""

from __future__ import annotations

__all__ = ["tr", "translate"]


def translate(context: str, text: str) -> str:
    """The text in the user's language."""
    if not isinstance(context, str) or not isinstance(text, str):
        raise ValueError(f"translate takes a context and what to translate, not {context!r} and {text!r}.")
    return text


def tr(text: str) -> str:
    """The text in the user's language, with the calling file as its context."""
    return translate("", text)
