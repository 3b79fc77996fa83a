"""MCPServer: a server of tools, how it is reached, and what of it agents are offered."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from sympozium_controller.objects.base import Fields, Line, Object, OptionalName, Value, Values, Words


class ToolFilter(Fields):
    """By the server's own names. ``allow`` empty: every tool; ``deny`` wins."""

    allow: Words = Field(default=(), description="Only these tools, by the server's own names. Absent: every tool.")
    deny: Words = Field(default=(), description="Not these, even if they are allowed.")


class OAuth(Fields):
    """OAuth 2.0 client credentials; with nothing stated there are none. Values may hold ``${KEY}``."""

    client_id: Value = Field(default="", description="The client's id.")
    client_secret: Value = Field(default="", description="Its secret, as ${KEY}.")
    private_key: Value = Field(default="", description="Instead of a secret, the key that it signs with, as ${KEY}.")
    signing_algorithm: str = Field(default="ES256", max_length=16, description="How it signs.")
    auth_method: Literal["client_secret_basic", "client_secret_post"] = Field(
        default="client_secret_basic", description="Where the secret is sent."
    )
    scopes: Annotated[tuple[Annotated[Line, Field(min_length=1)], ...], Field(max_length=256)] = Field(
        default=(), description="What is asked for."
    )
    issuer: Line = Field(default="", description="Who gives tokens, if the server does not say it.")


class MCPServerSpec(Fields):
    """How a server is reached, and what of it is offered.

    ``${KEY}`` in a value of headers, env and oauth is the key KEY of the Secret ``secretRef``.
    ``readTools``: the server's tools that only read; the others can change things, until somebody says otherwise.
    """

    transport: Literal["stdio", "http"] = Field(
        description="stdio: a program, by command or image; http: a server, by url."
    )
    command: tuple[Annotated[str, Field(min_length=1, max_length=16 << 10)], ...] = Field(
        default=(), max_length=128, description="Of stdio: the program and its arguments."
    )
    image: Line = Field(default="", description="Of stdio: the image that holds the program.")
    url: Line = Field(default="", description="Of http: where the server is.")
    secret_ref: OptionalName = Field(
        default="", description="The Secret whose keys stand for ${KEY} in headers, env and oauth."
    )
    tools: ToolFilter = Field(default=ToolFilter(), description="Which of its tools agents are offered.")
    prefix: Annotated[str, Field(pattern=r"^$|^[A-Za-z_][A-Za-z0-9_-]{0,31}$", max_length=32)] = Field(
        default="", description="Begins the names of its tools. Absent: the server's name and _."
    )
    headers: Values = Field(default_factory=dict, description="Of http: headers; values may hold ${KEY}.")
    env: Values = Field(default_factory=dict, description="Of stdio: variables; values may hold ${KEY}.")
    oauth: OAuth = Field(default=OAuth(), description="Of http: OAuth 2.0 client credentials.")
    required: bool = Field(default=True, description="false lets runs begin without it.")
    read_tools: Words = Field(default=(), description="Its tools that only read; the others can change things.")
    elicitation: Literal["decline", "defaults"] = Field(
        default="decline", description="What it is answered when it asks the person something."
    )
    sampling: Literal["decline"] = Field(default="decline", description="What it is answered when it asks the model.")

    @model_validator(mode="after")
    def _of_its_transport(self) -> Self:
        if self.transport == "stdio":
            wanted, strange = bool(self.command or self.image), {"url": self.url, "headers": self.headers}
            needs = "command or image"
        else:
            wanted, strange = bool(self.url), {"command": self.command, "image": self.image, "env": self.env}
            needs = "url"
        if not wanted:
            raise ValueError(f"{needs}: is missing, and transport {self.transport} needs it")
        for name, found in strange.items():
            if found:
                raise ValueError(f"{name}: is of another transport than {self.transport}")
        if self.oauth != OAuth() and not (self.oauth.client_id and self.transport == "http"):
            raise ValueError("oauth: needs clientId, and transport http")
        return self


class MCPServer(Object):
    """A server of tools (Model Context Protocol) that agents are offered."""

    kind: Literal["MCPServer"] = "MCPServer"
    spec: MCPServerSpec = Field(description="How it is reached, and what of it is offered.")
    status: dict[str, Any] | None = None
