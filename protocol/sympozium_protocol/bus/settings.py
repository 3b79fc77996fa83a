"""Where the bus is, and as whom a program comes to it."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from sympozium_protocol.bus.unchecked import is_of_a_pod
from sympozium_protocol.exits import Ended, Reason


@dataclass(frozen=True, slots=True)
class BusSettings:
    """What a program is told of the bus.

    ============================  =================================================================
    ``SYMPOZIUM_BUS``             its URL: nats://HOST:PORT, or tls://HOST:PORT
    ``SYMPOZIUM_BUS_TOKEN_FILE``  a file with the token to present, read at each connection; none:
                                  this program trusts the server, and the server it
    ``SYMPOZIUM_BUS_CA_FILE``     certificates of the authorities that the server's may come from
    ============================  =================================================================
    """

    url: str
    token_file: Path | None = None
    ca_file: Path | None = None

    @classmethod
    def from_environment(cls) -> Self | None:
        """None where no bus is named. Raises Ended (Usage)."""
        url = os.environ.get("SYMPOZIUM_BUS", "")
        if not url:
            return None
        token, authorities = os.environ.get("SYMPOZIUM_BUS_TOKEN_FILE"), os.environ.get("SYMPOZIUM_BUS_CA_FILE")
        return cls(checked_url(url), Path(token) if token else None, Path(authorities) if authorities else None)

    @property
    def environment(self) -> dict[str, str]:
        """The same for another program."""
        files = {"SYMPOZIUM_BUS_TOKEN_FILE": self.token_file, "SYMPOZIUM_BUS_CA_FILE": self.ca_file}
        return {"SYMPOZIUM_BUS": self.url, **{name: str(path) for name, path in files.items() if path}}

    @property
    def secure(self) -> bool:
        """Is TLS promised? Then nothing is said without it."""
        return urlsplit(self.url).scheme == "tls"

    def token(self) -> str | None:
        """Raises Ended (BusRefused) when it cannot be read."""
        if self.token_file is None:
            return None
        try:
            return self.token_file.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            why = (error.strerror or "").lower() if isinstance(error, OSError) else "is no text"
            raise Ended(Reason.BusRefused, f"{self.token_file}: {why}") from None

    @property
    def renewed(self) -> bool:
        """Is the token a pod's own? The kubelet renews it, and the cluster may not know the pod yet, or not answer: who
        is refused with it now may be let in later. Raises Ended (BusRefused)."""
        return is_of_a_pod(self.token() or "")

    def tls(self) -> ssl.SSLContext | None:
        """Raises Ended (BusRefused) when the authorities cannot be read."""
        if not self.secure:
            return None
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise Ended(Reason.BusRefused, f"{self.ca_file}: {error.strerror or error}") from None


def checked_url(url: str) -> str:
    """Raises Ended (Usage): a credential in a URL would be seen in the process list and in logs."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in ("nats", "tls") or not parts.hostname or port == -1:
        raise Ended(Reason.Usage, "the bus: not a URL such as nats://HOST:4222 or tls://HOST:4222")
    if parts.username or parts.password:
        raise Ended(Reason.Usage, "the bus: its URL holds a credential; give the token as a file instead")
    return url
