"""The API server's word on a token, and on what its holder may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sympozium_bus_auth.verifying import Refused
from sympozium_protocol.kube.api import KubeApi
from sympozium_protocol.kube.resources import ACCESS_REVIEWS, RUNS, TOKEN_REVIEWS


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom the cluster knows by a token."""

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
    user = status["user"]
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
