"""What every object has in common: strict, frozen, camelCase, apiVersion, kind and metadata.

Every string, list and mapping has a bound, the same in a file and in a cluster.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, TypeAlias

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

API_VERSION: Final = "sympozium.ai/v1alpha1"
NAME_PATTERN: Final = r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$"
LABEL_PATTERN: Final = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"

Name: TypeAlias = Annotated[str, Field(pattern=NAME_PATTERN, max_length=253)]
Label: TypeAlias = Annotated[str, Field(pattern=LABEL_PATTERN, max_length=63)]
"""A name of at most 63 characters without dots: a namespace, a skill, an MCP server."""
OptionalName: TypeAlias = Annotated[str, Field(pattern=rf"^$|{NAME_PATTERN}", max_length=253)]

Line: TypeAlias = Annotated[str, Field(max_length=1024)]
"""A line of text: a description, a URL, a tool's name."""
Value: TypeAlias = Annotated[str, Field(max_length=16 << 10)]
"""One argument of a command, header or variable."""
Prompt: TypeAlias = Annotated[str, Field(max_length=256 << 10)]
"""Text that a model reads."""
Words: TypeAlias = Annotated[tuple[Line, ...], Field(max_length=256)]
Labels: TypeAlias = Annotated[dict[str, Annotated[str, Field(max_length=63)]], Field(max_length=64)]
Values: TypeAlias = Annotated[dict[str, Value], Field(max_length=64)]
AnyValues: TypeAlias = Annotated[dict[str, Any], Field(max_length=64)]


class Fields(BaseModel):
    """A part of an object. An unknown field is an error: a misspelt one must be said."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        defer_build=True,
        allow_inf_nan=False,
        protected_namespaces=(),
    )


class Metadata(Fields):
    """ObjectMeta. What an API server adds may stand there and is not read."""

    name: Name
    namespace: Annotated[str, Field(pattern=rf"^$|{LABEL_PATTERN}")] = ""
    generate_name: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: int | None = None
    finalizers: tuple[str, ...] = ()
    owner_references: tuple[dict[str, Any], ...] = ()
    managed_fields: tuple[dict[str, Any], ...] = ()


class Object(Fields):
    """A whole document. ``group`` is the apiVersion that its kind must have."""

    group: ClassVar[str] = API_VERSION

    api_version: str = API_VERSION
    metadata: Metadata

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def namespace(self) -> str:
        """As written; empty when the document names none."""
        return self.metadata.namespace
