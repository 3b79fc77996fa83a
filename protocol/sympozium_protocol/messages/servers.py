"""MCP servers of a run, as RunSpec names them: how each is reached, what of it is offered, and under which names.

No secret stands here. A value may hold ``${KEY}``, and ``secrets`` says in which variable of the bridge's
environment that key's value is.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, StringConstraints

from sympozium_protocol.messages.base import Id, Wire

Prefix: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,31}$")]
"""What every tool of a server begins with: no two servers of a run share one, nor does one begin another."""
Variable: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
Argument: TypeAlias = Annotated[str, StringConstraints(min_length=1)]


class OAuthSpec(Wire):
    """OAuth 2.0 client credentials (RFC 6749, 4.4); with ``privateKey`` by a signed assertion (RFC 7523).

    Values may hold ``${KEY}``. The token endpoint is found through the server's metadata (RFC 9728, RFC 8414).
    """

    client_id: str = Field(min_length=1)
    client_secret: str = ""
    private_key: str = Field(default="", description="PEM; in place of a client secret")
    signing_algorithm: str = "ES256"
    auth_method: Literal["client_secret_basic", "client_secret_post"] = "client_secret_basic"
    scopes: tuple[Argument, ...] = ()
    issuer: str = Field(
        default="",
        description="of the authorization server, which alone is sent the credentials; empty: whichever the MCP "
        "server names",
    )


class ServerSpec(Wire):
    """One MCP server. Tools are filtered by the server's own names, then prefixed."""

    name: Id
    prefix: Prefix
    transport: Literal["stdio", "http"]
    command: tuple[Argument, ...] = Field(default=(), description="stdio: the program and its arguments")
    url: str = Field(default="", description="http: the streamable HTTP endpoint")
    allow: tuple[str, ...] = Field(default=(), description="empty: every tool")
    deny: tuple[str, ...] = ()
    headers: dict[str, str] = Field(default_factory=dict, description="http; values may hold ${KEY}")
    env: dict[str, str] = Field(default_factory=dict, description="stdio; values may hold ${KEY}")
    secrets: dict[str, Variable] = Field(default_factory=dict, description="KEY to a variable of the bridge")
    oauth: OAuthSpec | None = None
    required: bool = Field(default=True, description="the agent waits until this server's tools are known")
    elicitation: Literal["decline", "defaults"] = Field(
        default="decline", description="defaults: a form is answered with the defaults of its schema"
    )
    sampling: Literal["decline"] = "decline"
