"""The rights of a run in a cluster: the objects that give them, and what takes them back. Pure.

A run whose skills declare rules has an account of its own; all its skills share it, with the union of their rules in
each namespace. What lies in the run's own namespace is owned by its AgentRun. Owners do not reach into other
namespaces: what lies there, or in none, bears the run's labels, and is deleted by name, or swept by label.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Final

from sympozium_controller.errors import Refused
from sympozium_controller.grants import Grant, RbacRule
from sympozium_controller.names import (
    LABEL_MANAGED_BY,
    LABEL_RUN,
    LABEL_RUN_UID,
    MANAGED_BY,
    account_name,
)
from sympozium_protocol.exits import Reason
from sympozium_protocol.kube.api import KubeObject
from sympozium_protocol.kube.errors import Forbidden, KubeError
from sympozium_protocol.kube.resources import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    ROLE_BINDINGS,
    ROLES,
    SERVICE_ACCOUNTS,
    Resource,
)

GRANTED: Final = "sympozium.ai/granted-in"
"""Annotation of a run's account: the namespaces where it has rights, with commas; ``*`` is the whole cluster."""
EVERYWHERE: Final = "*"
SWEPT: Final = (CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS, CLUSTER_ROLES, ROLES, SERVICE_ACCOUNTS)
"""Kinds that a run's rights are made of; what is to go first stands first."""
SELECTOR: Final = f"{LABEL_MANAGED_BY}={MANAGED_BY},{LABEL_RUN_UID}"
"""Selects the rights of all runs."""

MAX_WORDS: Final = 1 << 17
"""Words in the rules of one run, in all its namespaces together: a Role of so many is more than a server takes."""

_GROUP: Final = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class Named:
    """An object by what it takes to delete it."""

    resource: Resource
    name: str
    namespace: str = ""
    uid: str = ""


def rights(
    run: str, uid: str, namespace: str, owner: Mapping[str, Any], grants: Iterable[Grant]
) -> tuple[KubeObject, ...]:
    """The objects to create for a run, in this order; none for one that was granted nothing.

    ``owner`` is the reference to its AgentRun, which has this ``uid``. Raises Refused (InvalidPack): a pack that is
    not of the system namespace names rights in the whole cluster, or rules times namespaces are too many.
    """
    by_place = _union(_bounded(grants))
    if not by_place:
        return ()
    places = ",".join(place or EVERYWHERE for place in by_place)
    account = _object(SERVICE_ACCOUNTS, run, uid, namespace, {GRANTED: places}) | {
        "automountServiceAccountToken": False
    }
    found = [account]
    for place, rules in by_place.items():
        found += _role(run, uid, place, rules, of=namespace)
    for one in found:
        if one["metadata"].get("namespace") == namespace:
            one["metadata"]["ownerReferences"] = [dict(owner)]
    return tuple(found)


def _bounded(grants: Iterable[Grant]) -> Iterator[Grant]:
    """Counted before they are multiplied."""
    words = 0
    for grant in grants:
        words += max(1, len(grant.namespaces)) * sum(map(_words, grant.rules))
        if words > MAX_WORDS:
            why = (
                f"rights times namespaces of a run are more than {MAX_WORDS} words; name fewer, or * for all of a kind"
            )
            raise Refused(Reason.InvalidPack, grant.origin, "spec.sidecar.rbac", why)
        yield grant


def _words(rule: RbacRule) -> int:
    return 1 + sum(map(len, (rule.api_groups, rule.resources, rule.verbs, rule.resource_names)))


def _union(grants: Iterable[Grant]) -> dict[str, tuple[RbacRule, ...]]:
    """Rules by namespace; "" is the whole cluster."""
    found: dict[str, dict[RbacRule, None]] = {}
    for grant in grants:
        if grant.everywhere and not grant.shipped:
            why = "rights in the whole cluster are for packs of the system namespace"
            raise Refused(Reason.InvalidPack, grant.origin, "spec.sidecar.clusterRBAC", why)
        for place in grant.namespaces or ("",):
            found.setdefault(place, {}).update(dict.fromkeys(grant.rules))
    return {place: tuple(rules) for place, rules in sorted(found.items()) if rules}


def _role(run: str, uid: str, place: str, rules: Iterable[RbacRule], *, of: str) -> Iterator[KubeObject]:
    role, binding = (ROLES, ROLE_BINDINGS) if place else (CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS)
    yield _object(role, run, uid, place) | {"rules": [_rule(rule) for rule in rules]}
    yield _object(binding, run, uid, place) | {
        "roleRef": {"apiGroup": _GROUP, "kind": role.kind, "name": account_name(run)},
        "subjects": [{"kind": "ServiceAccount", "name": account_name(run), "namespace": of}],
    }


def _object(
    resource: Resource, run: str, uid: str, namespace: str, annotations: Mapping[str, str] | None = None
) -> KubeObject:
    metadata: dict[str, Any] = {
        "name": account_name(run),
        "labels": {LABEL_MANAGED_BY: MANAGED_BY, LABEL_RUN: run, LABEL_RUN_UID: uid},
    }
    if namespace:
        metadata["namespace"] = namespace
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}


def _rule(rule: RbacRule) -> dict[str, list[str]]:
    found = {
        "apiGroups": list(rule.api_groups),
        "resources": list(rule.resources),
        "verbs": list(rule.verbs),
    }
    return found | ({"resourceNames": list(rule.resource_names)} if rule.resource_names else {})


def taken_back(account: KubeObject) -> tuple[Named, ...]:
    """All that was created for the run of this account, itself last: while it is there, the rest may be.

    What a killed controller had not come to create is among it: not finding it is no fault.
    """
    metadata = account["metadata"]
    name, places = metadata["name"], metadata.get("annotations", {}).get(GRANTED, "")
    found = []
    for place in filter(None, places.split(",")):
        namespace = "" if place == EVERYWHERE else place
        pair = (ROLE_BINDINGS, ROLES) if namespace else (CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES)
        found += [Named(resource, name, namespace) for resource in pair]
    return (*found, Named(SERVICE_ACCOUNTS, name, metadata["namespace"], metadata["uid"]))


def orphans(found: Iterable[KubeObject], resource: Resource, living: Set[str]) -> tuple[Named, ...]:
    """Of the rights of all runs (``SELECTOR``), those of no run that still needs any; ``living`` are UIDs.

    List the objects before the runs: rights of a run that began in between are then not among them.
    """
    return tuple(
        named(one, resource) for one in found if one["metadata"].get("labels", {}).get(LABEL_RUN_UID) not in living
    )


def named(one: KubeObject, resource: Resource) -> Named:
    """That very object."""
    metadata = one["metadata"]
    return Named(resource, metadata["name"], metadata.get("namespace", ""), metadata["uid"])


def is_of(existing: KubeObject, uid: str) -> bool:
    """Was this object, which is there already, made for the run with that ``uid``? Else the name is taken."""
    labels = existing["metadata"].get("labels", {})
    return bool(labels.get(LABEL_RUN_UID) == uid and labels.get(LABEL_MANAGED_BY) == MANAGED_BY)


_LACKING: Final = re.compile(r"attempting to grant RBAC permissions not currently held:\s*(.*)", re.DOTALL)
_RULE: Final = re.compile(r"\{([^{}]*)\}")
_PART: Final = re.compile(r'\b(\w+):\[((?:"[^"]*"[\s,]*)*)\]')
_WORD: Final = re.compile(r'"([^"]*)"')
_SHOWN: Final = 5
"""Rules that a message names, and words of each of their lists: the rest is counted."""
_LONGEST: Final = 253
"""Characters of a word that a message shows: no name in Kubernetes is longer."""


def why_refused(error: KubeError, namespace: str) -> tuple[Reason, str] | None:
    """Why the server would not create a run's right, for a person; None where trying again may help.

    ``namespace``: where the right was to hold, empty for the whole cluster.
    """
    where = f"in namespace {namespace}" if namespace else "in the whole cluster"
    if error.status == 404 and error.details.get("kind") == "namespaces":
        return Reason.MissingReference, f"there is no namespace {namespace}, where a skill is to act"
    if not isinstance(error, Forbidden):
        return None
    lacking = _LACKING.search(error.message)
    if lacking is None:
        return Reason.PolicyUnsatisfiable, f"a skill's rights {where} were refused: {error.message}"
    rules = _RULE.findall(lacking[1])
    more = f", and {len(rules) - _SHOWN} more" if len(rules) > _SHOWN else ""
    told = "; ".join(map(_told, rules[:_SHOWN]))
    why = f"a skill asks for rights {where} that this installation does not grant: {told}{more}"
    return Reason.PolicyUnsatisfiable, f"{why} (ClusterRole sympozium-grantable)"


def _told(rule: str) -> str:
    parts = {name: _few(_WORD.findall(words)) for name, words in _PART.findall(rule)}
    group = "/".join(filter(None, parts.get("APIGroups", [])))
    what = ", ".join(f"{one}.{group}" if group else one for one in parts.get("Resources", []))
    names = parts.get("ResourceNames", [])
    return f"{', '.join(parts.get('Verbs', []))} {what}" + (f" named {', '.join(names)}" if names else "")


def _few(words: Sequence[str]) -> list[str]:
    """Resources and groups are told each with each, so whoever names hundreds of both makes a text of millions."""
    more = [f"{len(words) - _SHOWN} more"] if len(words) > _SHOWN else []
    return [*(word[:_LONGEST] for word in words[:_SHOWN]), *more]
