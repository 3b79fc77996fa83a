"""Which API server, and who we are there: a kubeconfig as kubectl reads it, or a pod's own account."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sympozium_protocol.exits import Ended, Reason

if TYPE_CHECKING:
    from kubernetes.aio.client.configuration import Configuration

POD_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
DEFAULT_NAMESPACE: Final = "default"


@dataclass(frozen=True, slots=True)
class Login:
    """``namespace``: where commands act when none is named. ``renew``: look again who we are (a token ends)."""

    configuration: Configuration
    namespace: str
    context: str = ""
    renew: Callable[[], Awaitable[None]] | None = None

    @property
    def server(self) -> str:
        return str(self.configuration.host)

    async def authorization(self) -> str:
        """The header's value; empty where it is a certificate that the server knows us by."""
        hook = self.configuration.refresh_api_key_hook
        if hook is not None:
            hook(self.configuration)
        return str(self.configuration.api_key.get("BearerToken", ""))

    async def token(self) -> str:
        """The bearer token; empty where there is none."""
        scheme, _, value = (await self.authorization()).partition(" ")
        return value.strip() if scheme.lower() == "bearer" else ""


async def login(kubeconfig: str = "", context: str = "", namespace: str = "") -> Login:
    """By ``kubeconfig``, else $KUBECONFIG, else ~/.kube/config, else the account of the pod that we are in.

    Raises Ended (Usage) naming the file.
    """
    files = kubeconfig or os.environ.get("KUBECONFIG", "")
    default = Path.home() / ".kube" / "config"
    if not files and not default.is_file() and (POD_ACCOUNT / "token").is_file():
        return in_pod(namespace)
    return await _by_kubeconfig(files or str(default), context, namespace)


def in_pod(namespace: str = "") -> Login:
    """Raises Ended (Usage) when this is no pod, or one without an account."""
    from kubernetes.aio.client.configuration import Configuration
    from kubernetes.aio.config import ConfigException, load_incluster_config

    configuration = Configuration()
    try:
        load_incluster_config(client_configuration=configuration)
        own = (POD_ACCOUNT / "namespace").read_text().strip()
    except (ConfigException, OSError) as error:
        raise Ended(Reason.Usage, f"no account of a pod: {error}") from None
    return Login(configuration, namespace or own)


async def _by_kubeconfig(files: str, context: str, namespace: str) -> Login:
    from kubernetes.aio.client.configuration import Configuration
    from kubernetes.aio.config import ConfigException, load_kube_config
    from yaml import YAMLError

    present = os.pathsep.join(filter(os.path.isfile, files.split(os.pathsep)))
    if not present:
        raise Ended(Reason.Usage, f"{files}: there is no kubeconfig here; name one with --kubeconfig or $KUBECONFIG")
    configuration = Configuration()
    try:
        loader = await load_kube_config(present, context or None, configuration, persist_config=False)
    except (ConfigException, YAMLError, OSError, ValueError, TypeError, KeyError) as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise Ended(Reason.Usage, f"{present}: {why}") from None

    async def renew() -> None:
        await loader.load_and_set(configuration)

    current = loader.current_context
    own = str(current["context"].get("namespace") or DEFAULT_NAMESPACE)
    return Login(configuration, namespace or own, str(current["name"]), renew)
