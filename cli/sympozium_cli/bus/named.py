"""Which bus is meant, as the command line and the environment say it. Light: every command may import it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sympozium_protocol.exits import Ended, Reason

if TYPE_CHECKING:
    from sympozium_protocol.bus.settings import BusSettings

BUS: Final = "SYMPOZIUM_BUS"
TOKEN_FILE: Final = "SYMPOZIUM_BUS_TOKEN_FILE"  # noqa: S105  a variable's name
CA_FILE: Final = "SYMPOZIUM_BUS_CA_FILE"
KEY_FILE: Final = "SYMPOZIUM_BUS_KEY_FILE"


@dataclass(frozen=True, slots=True)
class Bus:
    """Where it is, and the files to come to it with: absolute paths, or empty. No secret is in it."""

    url: str
    token: str = ""
    authorities: str = ""
    key: str = ""
    """With which tokens are minted: who starts runs may have it."""

    @property
    def words(self) -> str:
        """The options that name this bus to another command of the same person."""
        return self._words(self.token)

    @property
    def words_for_others(self) -> str:
        """The same for a person who has a token of his own."""
        return self._words("TOKEN" if self.token or self.key else "")

    def _words(self, token: str) -> str:
        files = (("--bus-token", token), ("--bus-ca", self.authorities))
        return " ".join((f"--bus {self.url}", *(f"{option} {path}" for option, path in files if path)))

    @property
    def settings(self) -> BusSettings:
        """As the protocol's half takes it. Raises Ended (MissingReference) where that cannot be imported."""
        check_installed()
        from sympozium_protocol.bus.settings import BusSettings

        files = (Path(path) if path else None for path in (self.token, self.authorities))
        return BusSettings(self.url, *files)


def bus_of(url: str, token: str = "", authorities: str = "", key: str = "") -> Bus | None:
    """What the options say; None without a URL. Raises Ended (Usage, MissingReference)."""
    said = {"--bus-token": (token, TOKEN_FILE), "--bus-ca": (authorities, CA_FILE), "--bus-key": (key, KEY_FILE)}
    if not url:
        for option, (path, variable) in said.items():
            if path and path != os.environ.get(variable):
                raise Ended(Reason.Usage, f"command line: {option}: needs --bus")
        return None
    check_installed()
    from sympozium_protocol.bus.settings import checked_url

    for option, (path, _) in said.items():
        if path and not os.path.isfile(path):
            raise Ended(Reason.Usage, f"command line: {option}: {path}: there is no such file")
    return Bus(checked_url(url), *map(_absolute, (token, authorities, key)))


def bus_of_environment(key: str = "") -> Bus | None:
    """What the environment says; None where it names no bus. Raises Ended."""
    url, token, authorities = (os.environ.get(name, "") for name in (BUS, TOKEN_FILE, CA_FILE))
    return bus_of(url, token, authorities, key) if url else None


def _absolute(path: str) -> str:
    return os.path.abspath(path) if path else ""


def check_installed() -> None:
    """Raises Ended (MissingReference) without the client that speaks to the bus."""
    from importlib.util import find_spec

    if find_spec("nats") is None:
        why = "the bus needs the Python package nats-py: pip install 'sympozium-cli[bus]'"
        raise Ended(Reason.MissingReference, why)
