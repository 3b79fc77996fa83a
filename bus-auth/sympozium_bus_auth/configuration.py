"""The server's configuration: accounts, what they export to each other, and who answers for the rest.

One service export covers all that runs and persons reach in BUS, and it has to be one. The server sends the answer to
a request to whatever subject the request names, and a subject of RUNS that is imported leads into BUS again: an
acknowledgement, or the answer of a service, would arrive as another run's record or as a call. A message does not go
twice through the same export: that is the server's rule. What else keeps it from going round may change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

REACHED: Final = (
    "sympozium.run.>",
    "sympozium.call.>",
    "sympozium.withdrawn.>",
    "sympozium.manifest.*",
    "sympozium.reader.>",
    "$JS.API.CONSUMER.MSG.NEXT.SYMPOZIUM.>",
)
"""What runs and persons reach in BUS, as far as their permissions let them."""

HEARD: Final = ("sympozium.live.>",)
"""What they hear of it."""

_TEXT: Final = """\
accounts {{
  {SYSTEM} {{ users: [{{ nkey: "{keys.system}" }}] }}
  AUTH {{ users: [{{ nkey: "{keys.auth}" }}] }}
  BUS {{
    jetstream: enabled
    users: [{{ nkey: "{keys.keeper}" }}]
    exports: [
      {{ service: ">", response_type: stream, response_threshold: "{ANSWERED}s", accounts: [RUNS] }}
{exports}
    ]
  }}
  RUNS {{
    limits {{ max_connections: {limits.connections}, max_subscriptions: {limits.subscriptions} }}
    imports: [
{imports}
    ]
  }}
}}
system_account: {SYSTEM}
authorization {{
  timeout: 3
  auth_callout {{
    issuer: "{keys.issuer}"
    account: AUTH
    auth_users: ["{keys.auth}", "{keys.keeper}", "{keys.system}"]
  }}
}}
"""
SYSTEM: Final = "SYS"

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
    """Of RUNS: ``connections`` in all, and ``subscriptions`` of each connection."""

    connections: int = 10_000
    subscriptions: int = 64


def configuration(keys: PublicKeys, limits: AccountLimits | None = None) -> str:
    """Pure: text of a nats-server configuration, beside its addresses, its jetstream block and its tls."""
    services = [f'      {{ service: {{ account: BUS, subject: "{subject}" }} }}' for subject in REACHED]
    streams = [f'      {{ stream: {{ account: BUS, subject: "{subject}" }} }}' for subject in HEARD]
    return _TEXT.format(
        SYSTEM=SYSTEM,
        ANSWERED=ANSWERED,
        keys=keys,
        limits=limits or AccountLimits(),
        exports="\n".join(f'      {{ stream: "{subject}", accounts: [RUNS] }}' for subject in HEARD),
        imports="\n".join(services + streams),
    )
