"""Qt's enumerations as PythonQt has them: whole numbers with a name."""

from __future__ import annotations

import enum


class EnumValue(int):
    """A value such as qt.Qt.AlignLeft: an int that remembers which of PySide's enumerations it came from."""

    pyside: enum.Enum

    def __new__(cls, pyside: enum.Enum):
        """Wrap a member of one of PySide's enumerations."""
        value = super().__new__(cls, pyside.value)
        value.pyside = pyside
        return value

    def __repr__(self) -> str:
        """As in AlignLeft (1)."""
        return f"{self.pyside.name} ({int(self)})"

    def _joined(self, other: int, result: int) -> int:
        """Flags of one kind stay flags; everything else becomes a plain number."""
        kind = type(self.pyside)
        same = issubclass(kind, enum.Flag) and type(getattr(other, "pyside", self.pyside)) is kind
        return EnumValue(kind(result)) if same else result

    def __or__(self, other: int) -> int:
        """Both flags."""
        return self._joined(other, int(self) | int(other))

    __ror__ = __or__

    def __and__(self, other: int) -> int:
        """The flags in both."""
        return self._joined(other, int(self) & int(other))

    __rand__ = __and__


class EnumType:
    """A type such as qt.QProcess.ExitStatus: called with a number it gives that value; it lists no values by name."""

    def __init__(self, pyside: type[enum.Enum]):
        self._pyside = pyside

    def __call__(self, value: int) -> EnumValue:
        """The value of this type with that number."""
        return EnumValue(self._pyside(int(value)))

    def __repr__(self) -> str:
        """As in <enum ExitStatus>."""
        return f"<enum {self._pyside.__name__}>"


def find(pyside: type, name: str) -> EnumValue | EnumType | None:
    """The value or type called ``name`` of a PySide class or of its bases."""
    for base in pyside.__mro__:
        for key, member in vars(base).items():
            if isinstance(member, type) and issubclass(member, enum.Enum):
                if key == name:
                    return EnumType(member)
                if name in member.__members__:
                    return EnumValue(member.__members__[name])
    return None
