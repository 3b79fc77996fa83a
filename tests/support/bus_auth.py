"""A server of the bus where everybody comes with a token, and the service that says what they may do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sympozium_bus_auth.configuration import AccountLimits, configuration
from sympozium_bus_auth.keys import TOKEN_KEY, Keys, make
from sympozium_protocol.bus.link import Link, Login, connect
from sympozium_protocol.bus.settings import BusSettings
from sympozium_protocol.bus.tokens import Identity, mint
from tests.support.certificates import Certificates
from tests.support.nats import NatsServer

PROGRAM = Path(sys.executable).with_name("sympozium-bus-auth")
WITHIN = 30.0


@dataclass
class GuardedBus:
    """``settings`` of somebody with a token, ``connect`` as one, ``trusted`` as the operator: in BUS, may do all."""

    server: NatsServer
    folder: Path
    keys: Keys
    log: Path
    ca_file: Path | None = None
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None
    _tokens: int = 0

    def token(self, identity: Identity, *, lasts: float = 3600, key: Path | None = None) -> str:
        return mint(identity, key or self.folder / "keys" / TOKEN_KEY, lasts=lasts)

    def settings(self, identity: Identity | str, *, lasts: float = 3600) -> BusSettings:
        """Of somebody, or with a token as it is."""
        self._tokens += 1
        path = self.folder / f"{self._tokens}.token"
        path.write_text(identity if isinstance(identity, str) else self.token(identity, lasts=lasts))
        return BusSettings(self.server.url, path, self.ca_file)

    async def shown(self, token: str, principal: str) -> Link:
        """A connection with a token as it is."""
        return await connect(self.settings(token), principal=principal)

    async def connect(self, identity: Identity, *, lasts: float = 3600) -> Link:
        return await connect(self.settings(identity, lasts=lasts), principal=identity.principal)

    async def trusted(self) -> Link:
        pair = self.keys.pairs["keeper"]
        settings = BusSettings(self.server.url, None, self.ca_file)
        return await connect(settings, principal="test:operator", login=Login(pair.public, pair.sign))

    def start(self) -> None:
        """Returns when it serves."""
        served = self.said("serving")
        environment = {**os.environ, "SYMPOZIUM_BUS": self.server.url, **self.environment}
        if self.ca_file:
            environment["SYMPOZIUM_BUS_CA_FILE"] = str(self.ca_file)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [PROGRAM, "serve", "--keys", self.folder / "keys", *self.arguments], env=environment, stderr=log
            )
        until(lambda: self.said("serving") > served, "the service serves")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Its exit code."""
        process, self._process = self._process, None
        assert process is not None, "the service does not run"
        process.send_signal(number)
        try:
            return process.wait(WITHIN)
        finally:
            process.kill()
            process.wait()

    def said(self, word: str) -> int:
        """In how many lines of its log."""
        return sum(f'"{word}"' in line or word in line for line in self.lines())

    def lines(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@contextmanager
def guarded_bus(
    folder: Path, *arguments: str, limits: AccountLimits | None = None, certificates: Certificates | None = None
) -> Iterator[GuardedBus]:
    """Both run, and the stream is there. With ``certificates`` the server speaks TLS alone."""
    keys = make(folder / "keys")
    text, scheme = configuration(keys.public, limits), "nats"
    if certificates:
        text += f'tls {{ cert_file: "{certificates.chain}", key_file: "{certificates.key}" }}\n'
        scheme = "tls"
    with NatsServer(folder / "nats", more=text, scheme=scheme) as server:
        bus = GuardedBus(server, folder, keys, folder / "bus-auth.log", arguments=arguments)
        bus.ca_file = certificates.authority if certificates else None
        bus.start()
        try:
            yield bus
        finally:
            if bus._process is not None:
                bus.stop(signal.SIGKILL)


def until(condition: Callable[[], bool], what: str) -> None:
    ends = time.monotonic() + WITHIN
    while not condition():
        assert time.monotonic() < ends, f"not in time: {what}"
        time.sleep(0.005)
