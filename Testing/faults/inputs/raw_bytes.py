"""Mutations of a file's bytes, and of what kind of file it is."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from inputs.sample import Sample

HEAD = 600
"""Bytes at the beginning of a file that are hit more often than the rest."""


def mutate_bytes(content: bytes, chance: Random) -> tuple[bytes, str]:
    """Change a file's bytes in one way."""
    at = chance.randrange(min(len(content), HEAD) if chance.random() < 0.7 else len(content))
    count = chance.choice((1, 2, 8, 100, 1000))
    kind = chance.choice(("bit", "bit", "byte", "byte", "cut", "cut", "more", "insert", "delete", "zeros", "repeat"))
    if kind == "bit":
        flipped = content[at] ^ (1 << chance.randrange(8))
        return content[:at] + bytes([flipped]) + content[at + 1 :], f"a bit of byte {at} flipped"
    if kind == "byte":
        value = chance.choice((0, 255, 32, 10, chance.randrange(256)))
        return content[:at] + bytes([value]) + content[at + 1 :], f"byte {at} = {value}"
    if kind == "cut":
        at = chance.choice((at, len(content) - count))
        return content[: max(at, 0)], f"cut after byte {max(at, 0)}"
    if kind == "more":
        return content + chance.randbytes(count), f"{count} bytes more at the end"
    if kind == "insert":
        return content[:at] + chance.randbytes(count) + content[at:], f"{count} bytes more at {at}"
    if kind == "delete":
        return content[:at] + content[at + count :], f"without {count} bytes at {at}"
    if kind == "zeros":
        return content[:at] + bytes(count) + content[at + count :], f"{count} zeros at {at}"
    return content[:at] + content[at : at + count] + content[at:], f"{count} bytes twice at {at}"


def make_special(sample: Sample, chance: Random) -> Sample:
    """The sample with one of its files being no plain file, not itself, or empty."""
    name = chance.choice(list(sample.files))
    kind = chance.choice(("pipe", "link to a device", "loop", "empty", "broken link", "link"))
    if kind == "link":  # which is fine
        files = {**sample.files, f"elsewhere/{name}": sample.files[name], name: f"elsewhere/{name}"}
        return replace(sample, files=files, about=f"{name} is a link")
    content: dict[str, bytes | str | None] = {
        "pipe": None,
        "link to a device": "/dev/zero",
        "loop": name.rpartition("/")[2],
        "empty": b"",
        "broken link": "nowhere",
    }
    return replace(sample, files={**sample.files, name: content[kind]}, about=f"{name} is a {kind}")
