"""As whom the command comes to the bus: what its token says, or what it mints for itself and for a run's gate.

Tokens are read here without a key: the bus checks them, and here they only say which name to use.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

from sympozium_cli.bus.named import Bus
from sympozium_cli.person import whoami
from sympozium_protocol.exits import Ended, Reason

if TYPE_CHECKING:
    from sympozium_protocol.bus.tokens import Identity
    from sympozium_protocol.messages.spec import RunSpec

OWN_LASTS: Final = 300.0
"""Seconds for which the command is known to the bus by a token that it minted for itself."""
SPARE: Final = 3600.0
ENDLESS: Final = 30 * 86400.0
"""Seconds for which the token of a run without a timeout is good: as long as a stream keeps messages."""


def identity_in(token: str) -> Identity:
    """Raises Ended (BusRefused)."""
    from sympozium_protocol.bus.shown import PREFIX, ShownToken
    from sympozium_protocol.bus.tokens import PersonIdentity, PersonVerb, identity_of

    try:
        if token.startswith(PREFIX):  # what its holder may do is the cluster's to say
            shown = ShownToken.decode(token)
            return PersonIdentity(name=shown.name, namespaces=(shown.namespace,), verbs=get_args(PersonVerb))
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return identity_of(claims)
    except (LookupError, TypeError, AttributeError, ValueError):
        raise Ended(Reason.BusRefused, "the bus's token: names nobody that it could be of") from None


def principal_of(bus: Bus) -> str:
    """As the bus knows this connection. Raises Ended (BusRefused)."""
    token = bus.settings.token()
    return f"person:{whoami()}" if token is None else identity_in(token).principal


def name_of(bus: Bus) -> str:
    """The name under which the bus lets us speak. Raises Ended (BusRefused)."""
    token = bus.settings.token()
    if token is None:
        return whoami()
    identity = identity_in(token)
    if identity.role != "person":
        raise Ended(Reason.BusRefused, f"{bus.token}: is the token of a {identity.role}, and only people speak to runs")
    return identity.name


@contextlib.contextmanager
def as_launcher(bus: Bus, namespace: str) -> Iterator[Bus]:
    """The bus with a token that lets us make runs: minted with the key, if there is one. Raises Ended (MissingKey)."""
    if not bus.key:
        yield bus
        return
    import tempfile

    from sympozium_protocol.bus.tokens import LauncherIdentity

    identity = LauncherIdentity(name=whoami(), namespaces=(namespace,))
    with tempfile.TemporaryDirectory(prefix="sympozium-") as place:
        path = Path(place) / "token"
        _write(path, _minted(bus, identity, OWN_LASTS))
        yield replace(bus, token=str(path), key="")


def gate_of(bus: Bus | None, path: Path) -> Bus | None:
    """The bus as a run's gate comes to it: with a token of the run alone, where there is a key to mint one."""
    return replace(bus, token=str(path), key="") if bus and bus.key else bus


def mint_for_gate(bus: Bus, spec: RunSpec, path: Path) -> None:
    """Put that token at ``path``. Raises Ended (MissingKey), OSError."""
    if not bus.key:
        _check_of_run(bus)
        return
    from sympozium_protocol.bus.tokens import RunIdentity

    lasts = spec.limits.timeout + spec.approval.expiry + SPARE if spec.limits.timeout else ENDLESS
    _write(path, _minted(bus, RunIdentity(namespace=spec.namespace, run=spec.run), lasts))


def _check_of_run(bus: Bus) -> None:
    """The gate gets the token that there is: it must be a run's. Raises Ended (BusRefused)."""
    token = bus.settings.token()
    role = identity_in(token).role if token else "run"
    if role != "run":
        why = f"is the token of a {role}; give --bus-key FILE too, with which the run gets one of its own"
        raise Ended(Reason.BusRefused, f"{bus.token}: {why}")


def _minted(bus: Bus, identity: Identity, lasts: float) -> str:
    from sympozium_protocol.bus.tokens import mint

    try:
        return mint(identity, Path(bus.key), lasts=lasts)
    except ImportError:
        why = "--bus-key needs the Python package PyJWT: pip install 'sympozium-cli[bus]'"
        raise Ended(Reason.MissingReference, why) from None


def _write(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with open(path, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
