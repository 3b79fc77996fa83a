"""Is it text, and if not, what is it? By its first bytes, since names say little. Pure."""

from __future__ import annotations

from typing import Final

_SIGNATURES: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\x7fELF", "ELF program or library"),
    (b"\x89PNG\r\n", "PNG image"),
    (b"\xff\xd8\xff", "JPEG image"),
    (b"GIF8", "GIF image"),
    (b"%PDF-", "PDF document"),
    (b"PK\x03\x04", "ZIP archive"),
    (b"\x1f\x8b", "gzip data"),
    (b"BZh", "bzip2 data"),
    (b"\xfd7zXZ\x00", "xz data"),
    (b"\x28\xb5\x2f\xfd", "zstd data"),
    (b"SQLite format 3\x00", "SQLite database"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
    (b"\x00asm", "WebAssembly module"),
)

_STRANGE = 0.1
"""Share of bytes that are no UTF-8 from which on a page counts as binary (a stray one is shown as �)."""


def kind_of(head: bytes, page: bytes = b"") -> str | None:
    """What kind of binary file begins with ``head`` and has ``page`` in it; None for text."""
    signed = next((kind for start, kind in _SIGNATURES if head.startswith(start)), None)
    if signed is not None and (b"\0" in head or b"\0" in page or _is_strange(head) or signed == "PDF document"):
        return signed
    if b"\0" in head or b"\0" in page or _is_strange(head) or _is_strange(page):
        return "unknown format"
    return None


def _is_strange(data: bytes) -> bool:
    if not data:
        return False
    inner = data[3:-4] if len(data) > 16 else data  # a page may begin and end within a character
    return inner.decode("utf-8", "replace").count("\ufffd") > max(1, len(inner) * _STRANGE)
