"""The API server's word on who somebody is, by a token or by what they asked it for, and on what they may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sympozium_bus_auth.verifying import Refused
from sympozium_protocol.kube.api import KubeApi, KubeObject
from sympozium_protocol.kube.attested import LASTS, SIGNER, name_of
from sympozium_protocol.kube.errors import NotFound
from sympozium_protocol.kube.resources import ACCESS_REVIEWS, RUNS, SIGNING_REQUESTS, TOKEN_REVIEWS


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom the cluster knows."""

    username: str
    uid: str
    groups: tuple[str, ...]
    extra: Mapping[str, list[str]]

    def only(self, name: str) -> str:
        """The one value of an extra field; empty where there is none, or more."""
        found = self.extra.get(name) or []
        return found[0] if len(found) == 1 else ""


async def holder_of(api: KubeApi, token: str, audience: str = "") -> Holder:
    """``audience``: for whom the token must have been made; none: for the API server itself.

    Raises Refused, KubeError.
    """
    asked: dict[str, Any] = {"token": token, **({"audiences": [audience]} if audience else {})}
    status = (await api.create(TOKEN_REVIEWS, _review("authentication.k8s.io/v1", "TokenReview", asked)))["status"]
    if not status.get("authenticated"):
        raise Refused("the cluster does not know this token, or no longer")
    if audience and audience not in (status.get("audiences") or ()):
        raise Refused("the token was made for another audience")
    return _holder(status["user"])


async def holder_by_request(api: KubeApi, secret: str, now: float) -> tuple[Holder, int]:
    """Who made the request that ``secret`` belongs to (kube/attested.py), and until when that counts.

    Raises Refused, KubeError.
    """
    try:
        found = await api.get(SIGNING_REQUESTS, name_of(secret))
    except NotFound:
        raise Refused("the cluster has no request of who shows this, or no longer") from None
    spec, metadata = found["spec"], found["metadata"]
    ends = int(datetime.fromisoformat(metadata["creationTimestamp"]).timestamp()) + LASTS
    if spec.get("signerName") != SIGNER:
        raise Refused("the request was made for another signer")
    if ends <= now or metadata.get("deletionTimestamp") or _denied(found):
        raise Refused("the request has ended, or was taken back")
    return _holder(spec), ends


def _denied(found: KubeObject) -> bool:
    """Whoever may approve requests can withdraw one so."""
    return any(one.get("type") in ("Denied", "Failed") for one in found.get("status", {}).get("conditions") or ())


def _holder(user: Mapping[str, Any]) -> Holder:
    return Holder(
        user.get("username", ""), user.get("uid", ""), tuple(user.get("groups") or ()), user.get("extra") or {}
    )


async def may(api: KubeApi, holder: Holder, verb: str, namespace: str, run: str) -> bool:
    """May they do this with that AgentRun? Raises KubeError."""
    asked = {
        "user": holder.username,
        "uid": holder.uid,
        "groups": list(holder.groups),
        "extra": dict(holder.extra),
        "resourceAttributes": {
            "group": RUNS.group,
            "version": RUNS.version,
            "resource": RUNS.plural,
            "namespace": namespace,
            "name": run,
            "verb": verb,
        },
    }
    found = await api.create(ACCESS_REVIEWS, _review("authorization.k8s.io/v1", "SubjectAccessReview", asked))
    return bool(found["status"].get("allowed"))


def _review(version: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {}, "spec": spec}
