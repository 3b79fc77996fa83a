"""What a person may do to runs, asked before it is tried, and said so that somebody can mend it."""

from __future__ import annotations

from typing import Final

from sympozium_controller.crds.roles import roles
from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.kube.client import Client
from sympozium_protocol.kube.person import username
from sympozium_protocol.kube.resources import RUNS, Resource

SELF_ACCESS: Final = Resource(
    "authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False
)
"""What everybody may ask about themselves."""


def needed(verb: str, resource: Resource, namespace: str) -> str:
    """The right as RBAC writes it, and the roles that have it. No ``namespace``: in all of them. Pure."""
    where = f" in namespace {namespace}" if namespace else ""
    right = f"the verb {verb} on {resource.plural}.{resource.group or 'core'}{where}"
    role = role_with(verb, resource.plural)
    bound = f"bound in {namespace}" if namespace else "by a ClusterRoleBinding"
    return f"{right}; the ClusterRoles {role} and sympozium-{role} have it, {bound}" if role else right


def role_with(verb: str, plural: str) -> str:
    """The least of Kubernetes' own roles (view, edit, admin) that has it by an installation; empty: none. Pure."""
    for role in roles():
        for rule in role["rules"]:
            if verb in rule["verbs"] and plural in rule["resources"]:
                return str(role["metadata"]["name"]).removeprefix("sympozium-")
    return ""


def refused(who: str, verb: str, namespace: str, run: str) -> Ended:
    """Somebody may not do this to this run. Pure."""
    done = {"get": "see", "approve": "answer for", "send": "speak to"}.get(verb, verb)
    why = f"{who or 'you'} may not {done} this run: it takes {needed(verb, RUNS, namespace)}"
    return Ended(Reason.PolicyDenied, f"{run}: {why}")


async def check_may(api: Client, verb: str, run: str, namespace: str) -> None:
    """Asks the API server as the bus will. Raises Ended (PolicyDenied), KubeError."""
    if why := await refusal(api, verb, run, namespace):
        raise why


async def refusal(api: Client, verb: str, run: str, namespace: str) -> Ended | None:
    """Why this may not be done to this run, as an end; None: it may. Raises KubeError."""
    attributes = {"verb": verb, "group": RUNS.group, "resource": RUNS.plural, "namespace": namespace, "name": run}
    body = {"apiVersion": SELF_ACCESS.api_version, "kind": SELF_ACCESS.kind, "metadata": {}}
    found = await api.create(SELF_ACCESS, {**body, "spec": {"resourceAttributes": attributes}})
    if (found.get("status") or {}).get("allowed"):
        return None
    return refused(await username(api), verb, namespace, run)
