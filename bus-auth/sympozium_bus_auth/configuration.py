"""The server's configuration: accounts, what they export to each other, and who answers for the rest.

BUS has the stream, and nobody in it but the keeper. The server sends the answer to a request to whatever subject the
request names: to one of the asker's own account. Whoever were in BUS could have an acknowledgement, or a message of
their own that a reader hands out, go into the stream as another's. Runs and persons are therefore in RUNS, services in
SERVICES, and what they reach in BUS they import.

An imported subject leads into BUS again, for an answer as for anything else. That is why one export covers all that
is reached in BUS: a message does not go twice through the same export. This is the server's rule; what else keeps it
from going round may change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

STORED: Final = ("sympozium.run.>", "sympozium.reader.>", "$JS.API.CONSUMER.MSG.NEXT.SYMPOZIUM.>")
"""What everybody reaches in BUS, as far as their permissions let them."""

SERVED: Final = ("sympozium.call.>", "sympozium.withdrawn.>", "sympozium.manifest.*")
"""What runs reach in SERVICES, by way of BUS."""

HEARD: Final = "sympozium.live.>"
"""What runs and persons hear of services."""

_TEXT: Final = """\
accounts {{
  SYS {{ users: [{{ nkey: "{keys.system}" }}] }}
  AUTH {{ users: [{{ nkey: "{keys.auth}" }}] }}
  BUS {{
    jetstream: enabled
    users: [{{ nkey: "{keys.keeper}" }}]
    exports: [
      {{ service: ">", response_type: stream, response_threshold: "{ANSWERED}s", accounts: [RUNS, SERVICES] }}
    ]
    imports: [
{served}
    ]
  }}
  RUNS {{
    limits {{ max_connections: {limits.connections}, max_subscriptions: {limits.subscriptions} }}
    imports: [
{reached}
      {{ stream: {{ account: SERVICES, subject: "{HEARD}" }} }}
    ]
  }}
  SERVICES {{
    limits {{ max_connections: {limits.connections}, max_subscriptions: {limits.subscriptions} }}
    exports: [
      {{ service: ">", response_threshold: "{ANSWERED}s", accounts: [BUS] }}
      {{ stream: "{HEARD}", accounts: [RUNS] }}
    ]
    imports: [
{stored}
    ]
  }}
}}
system_account: SYS
authorization {{
  timeout: 3
  auth_callout {{
    issuer: "{keys.issuer}"
    account: AUTH
    auth_users: ["{keys.auth}", "{keys.keeper}", "{keys.system}"]
  }}
}}
"""

ANSWERED: Final = 30
"""Seconds after the last of its answers that the server forgets a request. A reader hears every 5 s."""


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """Of nkeys: ``issuer`` signs who may do what, the others are users of bus-auth itself."""

    issuer: str
    auth: str
    keeper: str
    system: str


@dataclass(frozen=True, slots=True)
class AccountLimits:
    """Of RUNS and of SERVICES: ``connections`` in all, and ``subscriptions`` of each connection."""

    connections: int = 10_000
    subscriptions: int = 64


def configuration(keys: PublicKeys, limits: AccountLimits | None = None) -> str:
    """Pure: text of a nats-server configuration, beside its addresses, its jetstream block and its tls."""
    return _TEXT.format(
        ANSWERED=ANSWERED,
        HEARD=HEARD,
        keys=keys,
        limits=limits or AccountLimits(),
        served=_imported("SERVICES", SERVED),
        reached=_imported("BUS", (*STORED, *SERVED)),
        stored=_imported("BUS", STORED),
    )


def _imported(account: str, subjects: tuple[str, ...]) -> str:
    return "\n".join(f'      {{ service: {{ account: {account}, subject: "{one}" }} }}' for one in subjects)
