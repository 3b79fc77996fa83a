"""What a cluster holds for its bus, as documents. Pure.

================================  ============================================================  =====================
Secret ``sympozium-bus-keys``     the keeper's seeds; the authority's certificate and key       mounted by the keeper
Secret ``sympozium-bus-server``   the server's accounts (public keys), its certificate and key  mounted by the server
ConfigMap ``sympozium-bus-ca``    the certificates that clients trust                           for everybody
================================  ============================================================  =====================
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

from sympozium_bus_auth.configuration import PublicKeys, configuration
from sympozium_protocol.kube.labels import LABEL_COMPONENT, LABEL_MANAGED_BY, MANAGED_BY
from sympozium_protocol.kube.resources import SECRETS

SERVICE: Final = "sympozium-bus"
KEEPER_SECRET: Final = "sympozium-bus-keys"  # noqa: S105  a name of an object
SERVER_SECRET: Final = "sympozium-bus-server"  # noqa: S105  a name of an object
AUTHORITIES: Final = "sympozium-bus-ca"
"""A ConfigMap."""
CERTIFICATE, KEY, CA, CA_KEY = "tls.crt", "tls.key", "ca.crt", "ca.key"
ACCESS: Final = "access.conf"
FOLDER: Final = "/etc/nats/access"
"""Where the server finds its Secret."""
CONTROL_LINE: Final = 32 * 1024
"""Bytes of a line from who is not in yet: a token with all groups of its holder, in base64, takes up to 16 KiB."""

_TEXT: Final = f"""\
max_control_line: {CONTROL_LINE}
tls {{
  cert_file: "{FOLDER}/{CERTIFICATE}"
  key_file: "{FOLDER}/{KEY}"
  min_version: "1.3"
}}
"""


def access(keys: PublicKeys) -> str:
    """What the server's configuration includes: TLS alone, and who may be whom."""
    return _TEXT + configuration(keys)


def names(namespace: str, further: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the server: of its Service, and where a tunnel from somebody's own machine ends."""
    full = f"{SERVICE}.{namespace}.svc"
    own = (full, f"{full}.cluster.local", f"{SERVICE}.{namespace}", SERVICE, "localhost", "127.0.0.1")
    return tuple(dict.fromkeys((*own, *further)))


def document(kind: str, name: str, namespace: str, data: Mapping[str, bytes]) -> dict[str, Any]:
    """A Secret, or a ConfigMap."""
    labels = {LABEL_MANAGED_BY: MANAGED_BY, LABEL_COMPONENT: "bus"}
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    coded = {
        key: base64.b64encode(value).decode() if kind == SECRETS.kind else value.decode() for key, value in data.items()
    }
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, "data": coded}


def data_of(found: Mapping[str, Any]) -> dict[str, bytes]:
    """What it holds."""
    secret = found["kind"] == SECRETS.kind
    held = found.get("data") or {}
    return {key: base64.b64decode(value) if secret else value.encode() for key, value in held.items()}
