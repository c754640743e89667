"""Tables for labels, as Qt shows them of HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def html_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table with a head; every cell as plain text."""

    def line(cells: Sequence[object], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag} align='left'>{escape(str(cell))}</{tag}>" for cell in cells) + "</tr>"

    return f"<table cellpadding='3'>{line(head, 'th')}{''.join(line(row, 'td') for row in rows)}</table>"
