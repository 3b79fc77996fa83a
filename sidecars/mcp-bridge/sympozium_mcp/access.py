"""How each server is reached, with its secrets filled in; and what of the RunSpec's servers cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sympozium_mcp.secrets import Redactor, fill
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.messages.servers import OAuthSpec, ServerSpec
from sympozium_protocol.messages.spec import ParticipantSpec, RunSpec

INHERITED: Final = ("HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER")
"""What a server is given of the bridge's own environment: enough to find programs and its way, and no secret."""


@dataclass(frozen=True, slots=True)
class Access:
    """What is needed to reach one server. Holds secrets, and so is never shown."""

    server: ServerSpec
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    oauth: OAuthSpec | None = field(default=None, repr=False)


def accesses(
    spec: RunSpec, participant: ParticipantSpec, environment: Mapping[str, str], redactor: Redactor
) -> tuple[Access, ...]:
    """The way to every server of the run. ``redactor`` learns the secrets. Raises Ended (InvalidRun, MissingKey)."""
    check(spec.servers, participant)
    secret = {variable for server in spec.servers for variable in server.secrets.values()}
    for variable in secret & environment.keys():
        redactor.add(environment[variable])
    inherited = {name: environment[name] for name in INHERITED if name in environment and name not in secret}
    return tuple(_access(server, environment, inherited) for server in spec.servers)


def _access(server: ServerSpec, environment: Mapping[str, str], inherited: Mapping[str, str]) -> Access:
    def filled(values: Mapping[str, str], where: str) -> dict[str, str]:
        return {name: fill(value, f"{where}.{name}", server, environment) for name, value in values.items()}

    return Access(
        server=server,
        headers=filled(server.headers, "headers"),
        env={**inherited, **filled(server.env, "env")},
        oauth=_filled_oauth(server, environment) if server.oauth else None,
    )


def _filled_oauth(server: ServerSpec, environment: Mapping[str, str]) -> OAuthSpec:
    assert server.oauth is not None
    values = {
        name: fill(getattr(server.oauth, name), f"oauth.{name}", server, environment)
        for name in ("client_id", "client_secret", "private_key", "issuer")
    }
    scopes = tuple(fill(scope, "oauth.scopes", server, environment) for scope in server.oauth.scopes)
    return server.oauth.model_copy(update={**values, "scopes": scopes})


def check(servers: tuple[ServerSpec, ...], participant: ParticipantSpec) -> None:
    """Raises Ended (InvalidRun) for servers that could not be told apart, or that nothing leads to."""
    for number, server in enumerate(servers):
        _check_one(server, participant)
        for other in servers[:number]:
            if other.name == server.name:
                raise Ended(Reason.InvalidRun, f"servers: two are named {server.name}")
            if other.prefix.startswith(server.prefix) or server.prefix.startswith(other.prefix):
                raise Ended(
                    Reason.InvalidRun,
                    f"servers: the prefix {server.prefix!r} of {server.name} and {other.prefix!r} of {other.name} "
                    "begin one another, so that tools could take each other's names",
                )


def _check_one(server: ServerSpec, participant: ParticipantSpec) -> None:
    if not any(prefix and server.prefix.startswith(prefix) for prefix in participant.prefixes):
        raise Ended(
            Reason.InvalidRun,
            f"servers: the prefix {server.prefix!r} of {server.name} is none of participant {participant.name}",
        )
    if server.transport == "stdio" and not server.command:
        raise Ended(Reason.InvalidRun, f"servers: {server.name}: transport stdio needs a command")
    if server.transport == "http" and not server.url.startswith(("http://", "https://")):
        raise Ended(Reason.InvalidRun, f"servers: {server.name}: transport http needs an http or https url")
