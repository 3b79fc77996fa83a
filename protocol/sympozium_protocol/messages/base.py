"""What every document in /ipc has in common: frozen, camelCase on the wire, unknown fields ignored."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

ID_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}$"
TOOL_PATTERN = r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$"
DIGEST_PATTERN = r"^[0-9a-f]{64}$"
# not \d: to some engines, the one behind these models among them, that is a digit of any script
TIME_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z$"


def _finite(value: dict[str, Any]) -> dict[str, Any]:
    """Refuses what would be written back as null, or read as another number elsewhere (1e999)."""
    left: list[Any] = [value]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            left.extend(part.values())
        elif isinstance(part, list | tuple):
            left.extend(part)
        elif isinstance(part, float) and not math.isfinite(part):
            raise ValueError("holds a number that is not finite")
    return value


Id: TypeAlias = Annotated[str, Field(pattern=ID_PATTERN)]
ToolName: TypeAlias = Annotated[str, Field(pattern=TOOL_PATTERN)]
Digest: TypeAlias = Annotated[str, Field(pattern=DIGEST_PATTERN, description="SHA-256, lower-case hex")]
Time: TypeAlias = Annotated[str, Field(pattern=TIME_PATTERN, description="UTC, RFC 3339")]
Seconds: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count: TypeAlias = Annotated[int, Field(ge=0)]
Seq: TypeAlias = Annotated[int, Field(ge=1, le=999_999_999)]
Effect: TypeAlias = Literal["read", "idempotent", "write"]
Json: TypeAlias = Any
JsonObject: TypeAlias = Annotated[dict[str, Any], AfterValidator(_finite)]


class InvalidDocument(ValueError):
    """Bytes that are not the document they should be; ``why`` names the field in plain words."""

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(f"not a valid {kind}: {why}")
        self.kind = kind
        self.why = why


class Wire(BaseModel):
    """A part of a document. Field names are snake_case in Python and camelCase in files."""

    # defer_build: a program pays only for the models that it uses (its start-up is most of its CPU time)
    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="ignore",
        alias_generator=to_camel,
        populate_by_name=True,
        defer_build=True,
        allow_inf_nan=False,
        protected_namespaces=(),
    )


class Document(Wire):
    """A whole file. ``kind`` must be present in the bytes, and so must the names in ``stated``."""

    stated: ClassVar[tuple[str, ...]] = ("kind",)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read one document from the bytes of its file.

        Raises InvalidDocument, which names the field and never repeats the input.
        """
        try:
            found = cls.model_validate_json(data, by_alias=True, by_name=False)
        except ValidationError as error:
            raise InvalidDocument(cls.__name__, explain(error)) from None
        for name in cls.stated:
            if name not in found.model_fields_set:
                raise InvalidDocument(cls.__name__, f"{name}: missing")
        return found

    def encode(self) -> bytes:
        """The bytes of its file: one line of UTF-8 JSON; absent optional fields are left out."""
        return self.model_dump_json(by_alias=True, exclude_none=True).encode() + b"\n"


def explain(error: ValidationError) -> str:
    """The first fault of a pydantic error as ``field.path: what is wrong`` (never the input itself)."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    why = first["msg"].removeprefix("Value error, ")
    return f"{where}: {why}{more}" if where else f"{why}{more}"
