"""Coming to the bus of a cluster as the person whom the cluster knows: by their own token, or the API server's word."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Final

from sympozium_protocol.bus.shown import ShownToken
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.kube.attested import attest
from sympozium_protocol.kube.client import Client
from sympozium_protocol.kube.errors import Forbidden
from sympozium_protocol.kube.login import Login
from sympozium_protocol.kube.resources import SELF_REVIEWS

_CERTIFICATE_ONLY: Final = (
    "the kubeconfig has a certificate of yours and no token, and you may not have the cluster say who you are "
    "(create certificatesigningrequests.certificates.k8s.io); put a token into a file, such as by "
    "`kubectl create token SERVICEACCOUNT > FILE`, and give --bus-token FILE"
)


async def shown_token(api: Client, namespace: str, run: str) -> ShownToken:
    """What to present to the bus for the AgentRun ``run``; ``name`` is whom one speaks as there.

    Where the cluster knows its user by a certificate it is an attestation: ``take_back`` it after use. Raises
    KubeError, and Ended (Usage) where neither is possible.
    """
    name, token = await username(api), await api.login.token()
    if not token:
        try:
            token = await attest(api)
        except Forbidden:
            raise Ended(Reason.Usage, _CERTIFICATE_ONLY) from None
    return ShownToken(token, namespace, run, name)


def with_token(known: Login, token: str) -> Login:
    """The same server, to which we come as the holder of this token."""
    configuration = copy.copy(known.configuration)
    configuration.cert_file = configuration.key_file = configuration.refresh_api_key_hook = None
    configuration.api_key = {"BearerToken": f"Bearer {token}"}
    return replace(known, configuration=configuration, renew=None)


async def username(api: Client) -> str:
    """What the cluster calls us. Raises KubeError."""
    body = {"apiVersion": SELF_REVIEWS.api_version, "kind": SELF_REVIEWS.kind, "metadata": {}}
    found = await api.create(SELF_REVIEWS, body)
    return str(found["status"]["userInfo"]["username"])
