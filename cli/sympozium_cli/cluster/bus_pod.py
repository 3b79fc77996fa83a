"""Why there is no way to the bus of a cluster: what its pod says, as far as whoever asks may look at it."""

from __future__ import annotations

from typing import Final

from sympozium_cli.cluster.connecting import ended
from sympozium_cli.cluster.readiness import ready, troubles
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.kube.api import KubeObject
from sympozium_protocol.kube.client import Client
from sympozium_protocol.kube.errors import Away, Forbidden, KubeError, NotFound, Unauthorized
from sympozium_protocol.kube.labels import SYSTEM_NAMESPACE
from sympozium_protocol.kube.resources import PODS

POD: Final = "sympozium-bus-0"
_SEE: Final = f"see kubectl get pods -n {SYSTEM_NAMESPACE}"


async def unreached(error: KubeError, api: Client) -> Ended:
    """For whoever was refused a connection to it."""
    if isinstance(error, Forbidden | Unauthorized | Away):
        return ended(error, api.login, f"pod {SYSTEM_NAMESPACE}/{POD}")
    why = "is not there" if isinstance(error, NotFound) else await trouble(api)
    return no_way(why or f"cannot be reached ({error.message})")


async def trouble(api: Client) -> str:
    """What is wrong with it; empty: nothing, or it cannot be looked at."""
    try:
        return told(await api.get(PODS, POD, SYSTEM_NAMESPACE))
    except NotFound:
        return "is not there"
    except KubeError:
        return ""


def no_way(why: str) -> Ended:
    """Pure."""
    return Ended(Reason.BusRefused, f"the bus's pod {POD} {why}; {_SEE}")


def told(pod: KubeObject) -> str:
    """What keeps a pod from answering; empty: nothing that it knows of. Pure."""
    if pod["metadata"].get("deletionTimestamp"):
        return "is going away"
    if ready(pod):
        return ""
    phase = (pod.get("status") or {}).get("phase") or "Pending"
    head = f"is {phase}" if phase != "Running" else "is Running, and not ready"
    why = "; ".join(one.removeprefix(f"pod {pod['metadata']['name']}: ") for one in troubles([pod]))
    return ": ".join(filter(None, (head, why)))
