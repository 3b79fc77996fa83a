"""MCPServer: a server of tools, how it is reached, and what of it agents are offered."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from sympozium_controller.objects.base import Fields, Object, OptionalName


class ToolFilter(Fields):
    """By the server's own names. ``allow`` empty: every tool; ``deny`` wins."""

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


class OAuth(Fields):
    """OAuth 2.0 client credentials; with nothing stated there are none. Values may hold ``${KEY}``."""

    client_id: str = ""
    client_secret: str = ""
    private_key: str = ""
    signing_algorithm: str = "ES256"
    auth_method: Literal["client_secret_basic", "client_secret_post"] = "client_secret_basic"
    scopes: tuple[str, ...] = ()
    issuer: str = ""


class MCPServerSpec(Fields):
    """``${KEY}`` in a value of headers, env and oauth is the key KEY of the Secret ``secretRef``.

    ``readTools``: the server's tools that only read; the others can change things, until somebody says otherwise.
    """

    transport: Literal["stdio", "http"]
    command: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    image: str = ""
    url: str = ""
    secret_ref: OptionalName = ""
    tools: ToolFilter = ToolFilter()
    prefix: Annotated[str, Field(pattern=r"^$|^[A-Za-z_][A-Za-z0-9_-]{0,31}$")] = ""
    headers: dict[str, str] = Field(default_factory=dict)
    env: dict[str, str] = Field(default_factory=dict)
    oauth: OAuth = OAuth()
    required: bool = True
    read_tools: tuple[str, ...] = ()
    elicitation: Literal["decline", "defaults"] = "decline"
    sampling: Literal["decline"] = "decline"

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
    kind: Literal["MCPServer"] = "MCPServer"
    spec: MCPServerSpec
    status: dict[str, Any] | None = None
