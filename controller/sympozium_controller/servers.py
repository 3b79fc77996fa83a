"""The MCP servers of a run: those that the instance names and those of flags, as one participant. Pure.

What the agent may read holds no secret: a value says ``${KEY}``, and the bridge alone has what stands for it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pydantic import ValidationError

from sympozium_controller.choice import Chosen
from sympozium_controller.documents import Objects
from sympozium_controller.errors import Origin, Refused, fault_of
from sympozium_controller.flags import ON_COMMAND_LINE, Flags
from sympozium_controller.objects import MCPServer, Metadata, Secret
from sympozium_controller.objects.base import LABEL_PATTERN
from sympozium_controller.objects.mcpserver import MCPServerSpec
from sympozium_controller.pod import SecretEnv
from sympozium_controller.urls import NO_ADDRESS, is_http, secret_in_url
from sympozium_protocol.exits import Reason
from sympozium_protocol.messages.base import TOOL_PATTERN
from sympozium_protocol.messages.servers import OAuthSpec, ServerSpec
from sympozium_protocol.messages.spec import ParticipantSpec, ToolSpec

MCP: Final = "mcp"
"""The participant that speaks to all of a run's MCP servers."""
PARTICIPANT_TIMEOUT: Final = 120.0
"""Seconds that a tool of a server has when the caller names none."""

_KEY: Final = re.compile(r"\$\{([^}]*)\}")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_PREFIX: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,31}")
NAME_RULE: Final = "small letters, digits and -, at most 63, neither beginning nor ending with -"
READABLE: Final = "the agent can read what stands here"
INSTEAD: Final = "send it as a header of an MCPServer instead, as ${KEY} from the Secret of its secretRef"
_CREDENTIAL_HEADERS: Final = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key"})


@dataclass(frozen=True)
class Server:
    """One server, where it is written, and the keys of its Secret by the variable that each is passed in."""

    object: MCPServer
    origin: Origin
    keys: Mapping[str, SecretEnv] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.object.name

    @property
    def prefix(self) -> str:
        return self.object.spec.prefix or f"{self.name}_"

    def refused(self, where: str, why: str, reason: Reason = Reason.InvalidDocument) -> Refused:
        return Refused(reason, self.origin, where, why)


def servers_of(objects: Objects, chosen: Chosen, flags: Flags) -> tuple[Server, ...]:
    """Those of the instance, then those of ``--mcp``. Raises Refused."""
    named = [_named(objects, chosen, number, name) for number, name in enumerate(chosen.instance.spec.mcp_servers)]
    found = [*named, *(Server(_from_flag(text), ON_COMMAND_LINE) for text in flags.mcp)]
    known: set[str] = set()
    for server in found:
        if server.name in known:
            raise Refused(Reason.InvalidDocument, ON_COMMAND_LINE, "", f"the MCP server {server.name} is named twice")
        known.add(server.name)
    return tuple(_with_keys(server, number, objects, chosen) for number, server in enumerate(found))


def _named(objects: Objects, chosen: Chosen, number: int, name: str) -> Server:
    found = objects.get(MCPServer, name, chosen.namespace)
    if found is None:
        known = ", ".join(sorted(server.name for server in objects.all(MCPServer))) or "none"
        why = f"there is no MCPServer {name}; known are {known}"
        raise Refused(Reason.MissingReference, chosen.instance_origin, f"spec.mcpServers.{number}", why)
    return Server(found, objects.origin(found))


def _from_flag(text: str) -> MCPServer:
    """``NAME=COMMAND`` or ``NAME=URL``."""
    name, equals, target = text.partition("=")
    try:
        words = shlex.split(target)
    except ValueError as error:
        raise _bad_flag(f"{name}: {str(error).lower()}") from None
    if not equals or not words:
        raise _bad_flag(f"{text!r} is not NAME=COMMAND or NAME=URL")
    if not re.fullmatch(LABEL_PATTERN, name):
        raise _bad_flag(f"{name!r} cannot be a server's name: {NAME_RULE}")
    url = len(words) == 1 and target.startswith(("http://", "https://"))
    if not url and "://" in words[0]:
        raise _bad_flag(f"{name}: {words[0]!r} is neither an http:// or https:// URL nor a command")
    if url and (found := secret_in_url(target)):
        raise _bad_flag(f"{name}: the URL holds {found}; {READABLE}: {INSTEAD}")
    said = {"transport": "http", "url": target} if url else {"transport": "stdio", "command": words}
    try:
        return MCPServer(metadata=Metadata(name=name), spec=MCPServerSpec.model_validate(said, strict=False))
    except ValidationError as error:
        raise _bad_flag(f"{name}: {fault_of(error)[1]}") from None


def _bad_flag(why: str) -> Refused:
    return Refused(Reason.Usage, ON_COMMAND_LINE, "--mcp", why)


def _with_keys(server: Server, number: int, objects: Objects, chosen: Chosen) -> Server:
    name = server.object.spec.secret_ref
    if not name:
        return server
    secret = objects.get(Secret, name, chosen.namespace)
    if secret is None:
        raise server.refused("spec.secretRef", f"there is no Secret {name} in these documents", Reason.MissingReference)
    keys = {key: SecretEnv(_variable(number, at), name, key) for at, key in enumerate(secret.names())}
    return Server(server.object, server.origin, keys)


def _variable(server: int, key: int) -> str:
    return f"SYMPOZIUM_MCP_{server}_{key}"


def secrets_of_servers(servers: Iterable[Server]) -> tuple[SecretEnv, ...]:
    """What the bridge is given, and nobody else: the keys that its servers use."""
    return tuple(server.keys[key] for server in servers for key in _used(server))


def server_specs(servers: Sequence[Server], taken: Iterable[str]) -> tuple[ServerSpec, ...]:
    """The servers as RunSpec names them. ``taken``: names of tools that others have. Raises Refused."""
    _check_prefixes(servers, taken)
    return tuple(_spec(server) for server in servers)


def _spec(server: Server) -> ServerSpec:
    spec = server.object.spec
    if spec.transport == "stdio" and not spec.command:
        raise server.refused("spec.command", "is missing: an image alone runs in a cluster only", Reason.Usage)
    _check_values(server)
    oauth = OAuthSpec(**spec.oauth.model_dump()) if spec.oauth.client_id else None
    return ServerSpec(
        name=server.name,
        prefix=server.prefix,
        transport=spec.transport,
        command=spec.command,
        url=spec.url,
        allow=spec.tools.allow,
        deny=spec.tools.deny,
        headers=spec.headers,
        env=_environment(server),
        secrets={key: server.keys[key].variable for key in _used(server)},
        oauth=oauth,
        required=spec.required,
        elicitation=spec.elicitation,
        sampling=spec.sampling,
    )


def mcp_participant(servers: Sequence[Server]) -> ParticipantSpec:
    """All servers as one participant: names within their prefixes, what only reads by name."""
    return ParticipantSpec(
        name=MCP,
        role="mcp",
        tools=tuple(_read_tool(server, number, tool) for server in servers for number, tool in _read_tools(server)),
        prefixes=tuple(server.prefix for server in servers),
        required=any(server.object.spec.required for server in servers),
    )


def _read_tools(server: Server) -> Iterator[tuple[int, str]]:
    return iter(enumerate(dict.fromkeys(server.object.spec.read_tools)))


def _read_tool(server: Server, number: int, tool: str) -> ToolSpec:
    name = f"{server.prefix}{tool}"
    if not re.fullmatch(TOOL_PATTERN, name):
        raise server.refused(f"spec.readTools.{number}", f"{name} cannot be a tool's name")
    return ToolSpec(name=name, effect="read", timeout=PARTICIPANT_TIMEOUT)


# -- values and their keys -----------------------------------------------------------------------------


def _values(server: Server) -> dict[str, str]:
    """Every value that may hold a key, by its field."""
    spec = server.object.spec
    oauth = spec.oauth
    return {
        **{f"spec.headers.{name}": value for name, value in spec.headers.items()},
        **{f"spec.env.{name}": value for name, value in _environment(server).items()},
        "spec.oauth.clientId": oauth.client_id,
        "spec.oauth.clientSecret": oauth.client_secret,
        "spec.oauth.privateKey": oauth.private_key,
    }


def _environment(server: Server) -> dict[str, str]:
    """Where no variable names a key, each key of the Secret is a variable, as with skills."""
    spec = server.object.spec
    if spec.transport != "stdio" or any(map(keys_in, spec.env.values())):
        return spec.env
    return {**{key: f"${{{key}}}" for key in server.keys if _VARIABLE.fullmatch(key)}, **spec.env}


def keys_in(text: str) -> list[str]:
    """What stands as ``${KEY}`` in it. What follows the last brace is no key, and is not searched for one again and
    again: a text of nothing but ``${`` would take seconds.
    """
    return _KEY.findall(text[: text.rfind("}") + 1])


def _used(server: Server) -> list[str]:
    found = (key for value in _values(server).values() for key in keys_in(value))
    return [key for key in dict.fromkeys(found) if key in server.keys]


def _check_values(server: Server) -> None:
    secret = server.object.spec.secret_ref
    for place, url in (("url", server.object.spec.url), ("oauth.issuer", server.object.spec.oauth.issuer)):
        if found := secret_in_url(url):
            raise server.refused(f"spec.{place}", f"holds {found}; {READABLE}: {INSTEAD}")
        if url and not is_http(url):
            raise server.refused(f"spec.{place}", NO_ADDRESS)
    for where, value in _values(server).items():
        for key in keys_in(value):
            if key not in server.keys:
                why = f"the Secret {secret} has no key {key}" if secret else f"${{{key}}} needs spec.secretRef"
                raise server.refused(where, why, Reason.MissingReference)
        if _is_credential(where) and value and not keys_in(value):
            why = f"must be taken from the Secret, as ${{KEY}}: {READABLE}"
            raise server.refused(where, why)
    if server.keys and not _used(server):
        raise server.refused("spec.secretRef", "no value of headers, env or oauth uses a key of it, as ${KEY}")


def _is_credential(where: str) -> bool:
    _, kind, name = where.split(".", 2)
    return (
        name in ("clientSecret", "privateKey")
        if kind == "oauth"
        else (kind == "headers" and name.lower() in _CREDENTIAL_HEADERS)
    )


# -- names -------------------------------------------------------------------------------------------------


def _check_prefixes(servers: Sequence[Server], taken: Iterable[str]) -> None:
    """Whatever a server offers, its tool can be no other's."""
    names = sorted(taken)
    for server in servers:
        if not _PREFIX.fullmatch(server.prefix):
            why = f"state one: {server.prefix!r} cannot begin the name of a tool (a letter or _, at most 32 characters)"
            raise server.refused("spec.prefix", why)
        for name in names:
            if name.startswith(server.prefix):
                raise server.refused("spec.prefix", f"{server.prefix} could take the name of the tool {name}")
        for other in servers:
            if other is not server and other.prefix.startswith(server.prefix):
                why = f"{server.prefix} also begins the tools of the MCP server {other.name}"
                raise server.refused("spec.prefix", why)
