"""What can be wrong with a memory, its file or what it is given. Every message is one a person and a model can read."""

from __future__ import annotations

from pathlib import Path


class MemoryFault(Exception):
    """A memory that did not do what it was asked. ``why`` is in plain words and names no path."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class BadInput(MemoryFault):
    """What was given cannot be a memory, a tag or a line of an export: ``field`` says which part."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field} {why}")
        self.field = field


class WasRevoked(MemoryFault):
    """Exactly this content was revoked by a person, and only a person can store it again."""


class Busy(MemoryFault):
    """Another program held the file for too long. Nothing was stored."""


class FileFault(MemoryFault):
    """The file cannot be used. ``path`` is for a person; a model is told ``why`` alone."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(why)
        self.path = path

    def __str__(self) -> str:
        return f"{self.path}: {self.why}"


class NewerFile(FileFault):
    """Written by a newer program than this."""


class CorruptFile(FileFault):
    """Not a database, or a damaged one. It is left as it is."""


class ForeignFile(FileFault):
    """A database, but not a memory. It is left as it is."""


class ReadOnlyFile(FileFault):
    """Can be searched and not written."""


class NoSpace(FileFault):
    """The disk is full. What was stored before is safe; this was not stored."""


class CannotUse(FileFault):
    """The system refuses the file: permissions, a missing folder, a failing disk."""


class Taken(FileFault):
    """Something is there by the name of what was to be written. It is left as it is."""
