"""Secret (core/v1). Its values are never shown: not by repr, not in an error."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from sympozium_controller.objects.base import Object


def _decodes(text: str) -> str:
    try:
        decoded = base64.b64decode("".join(text.split()), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise ValueError("must be base64 of UTF-8 text") from None
    if "\0" in decoded:
        raise ValueError("must hold no NUL character")
    return text


class Secret(Object):
    """``data`` is base64, ``stringData`` is plain and wins, as in Kubernetes."""

    group: ClassVar[str] = "v1"

    api_version: str = "v1"
    kind: Literal["Secret"] = "Secret"
    type: str = "Opaque"
    immutable: bool = False
    data: dict[str, Annotated[str, AfterValidator(_decodes)]] = Field(default_factory=dict, repr=False)
    string_data: dict[str, str] = Field(default_factory=dict, repr=False)
    status: dict[str, Any] | None = None

    def names(self) -> tuple[str, ...]:
        """The names of its values, sorted."""
        return tuple(sorted({*self.data, *self.string_data}))

    def value(self, key: str) -> str | None:
        """One value, decoded; None when there is none of that name."""
        if key in self.string_data:
            return self.string_data[key]
        return base64.b64decode("".join(self.data[key].split())).decode() if key in self.data else None
