"""Lists and dictionaries read from a parameter node: changing them changes the node."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping, MutableSequence
from typing import Any


class ObservedList(MutableSequence):
    """A list that is written back at each change."""

    def __init__(self, items: list, save: Callable[[list], None]):
        self._items, self._save = items, save

    def __getitem__(self, index: Any) -> Any:
        """An element."""
        return self._items[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        """Change it."""
        self._items[index] = value
        self._save(self._items)

    def __delitem__(self, index: Any) -> None:
        """Drop it."""
        del self._items[index]
        self._save(self._items)

    def insert(self, index: int, value: Any) -> None:
        """Put one in."""
        self._items.insert(index, value)
        self._save(self._items)

    def __len__(self) -> int:
        """How many."""
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        """Same elements."""
        return self._items == (other._items if isinstance(other, ObservedList) else other)

    __hash__ = None

    def __repr__(self) -> str:
        """As Slicer shows it."""
        return f"ObservedList({self._items})"


class ObservedDict(MutableMapping):
    """A dictionary that is written back at each change."""

    def __init__(self, items: dict, save: Callable[[dict], None]):
        self._items, self._save = items, save

    def __getitem__(self, key: Any) -> Any:
        """A value."""
        return self._items[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        """Change it."""
        self._items[key] = value
        self._save(self._items)

    def __delitem__(self, key: Any) -> None:
        """Drop it."""
        del self._items[key]
        self._save(self._items)

    def __iter__(self) -> Iterator:
        """The keys."""
        return iter(self._items)

    def __len__(self) -> int:
        """How many."""
        return len(self._items)

    def __repr__(self) -> str:
        """As Slicer shows it."""
        return f"ObservedDict({self._items})"
