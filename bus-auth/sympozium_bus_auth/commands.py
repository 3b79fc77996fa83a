"""What is done once and over: keys and tokens."""

from __future__ import annotations

import argparse
from typing import Literal

from pydantic import ValidationError

from sympozium_protocol.bus import tokens
from sympozium_protocol.bus.tokens import Identity
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.messages.base import explain


def perform(options: argparse.Namespace) -> str:
    """What to print. Raises Ended."""
    if options.command == "token":
        return tokens.mint(_identity(options), options.key, lasts=options.lasts)
    if options.into_secrets:
        return _into_secrets(options)
    from sympozium_bus_auth import keys
    from sympozium_bus_auth.configuration import configuration

    return configuration(keys.make(options.folder).public).rstrip()


def _into_secrets(options: argparse.Namespace) -> str:
    import asyncio

    from sympozium_bus_auth.cluster.secrets import into_secrets
    from sympozium_protocol.kube.client import Client
    from sympozium_protocol.kube.errors import KubeError
    from sympozium_protocol.kube.login import login

    async def put() -> list[str]:
        async with Client(await login(), user_agent="sympozium-bus-auth") as api:
            return await into_secrets(api, options.into_secrets, tuple(options.names))

    try:
        return "\n".join(asyncio.run(put()))
    except KubeError as error:
        raise Ended(Reason.BusRefused, f"the API server: {error.message}") from None


def _identity(options: argparse.Namespace) -> Identity:
    try:
        return _of_role(options)
    except ValidationError as error:
        raise Ended(Reason.Usage, f"the {options.role}: {explain(error)}") from None


def _of_role(options: argparse.Namespace) -> Identity:
    if options.role == "run":
        return tokens.RunIdentity(namespace=options.namespace, run=options.run)
    namespaces = tuple(options.namespaces)
    if options.role == "person":
        runs: tuple[str, ...] | Literal["*"] = "*" if "*" in options.runs else tuple(options.runs)
        return tokens.PersonIdentity(
            name=options.name, namespaces=namespaces, runs=runs, verbs=tuple(dict.fromkeys(options.verbs))
        )
    if options.role == "launcher":
        return tokens.LauncherIdentity(name=options.name, namespaces=namespaces)
    participant = options.participant or options.service
    return tokens.ServiceIdentity(service=options.service, participant=participant, namespaces=namespaces)
