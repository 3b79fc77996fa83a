"""Which policies hold over a run: the namespace's floor, the instance's, the run's. Each of them holds."""

from __future__ import annotations

from typing import Final, Literal

from sympozium_controller.choice import Chosen
from sympozium_controller.documents import Objects
from sympozium_controller.errors import InvalidObject, Origin, Refused
from sympozium_controller.flags import ON_COMMAND_LINE, Flags
from sympozium_controller.objects import Metadata, SympoziumPolicy
from sympozium_controller.objects.policy import PolicyObjectSpec
from sympozium_protocol.exits import Reason
from sympozium_protocol.messages.spec import PolicySpec

FLOOR_LABEL: Final = "sympozium.ai/policy-floor"
"""A SympoziumPolicy with this label "true" holds over every run of its namespace."""

MAX_POLICIES: Final = 64
"""Policies over one run: every call of it is held against each of them."""

BUILT_IN: Final[dict[str, Literal["Permissive", "Default", "Restrictive"]]] = {
    "permissive": "Permissive",
    "default": "Default",
    "restrictive": "Restrictive",
}


def policies_of(objects: Objects, chosen: Chosen, flags: Flags) -> tuple[SympoziumPolicy, ...]:
    """The strictest decides per call, so their order does not matter but for who is named. Raises Refused."""
    names = (
        (chosen.instance.spec.policy or "default", chosen.instance_origin, "--policy" if chosen.own else "spec.policy"),
        (chosen.run.spec.policy, chosen.run_origin, "spec.policy"),
        (flags.policy, ON_COMMAND_LINE, "--policy"),
    )
    named = [_named(objects, chosen.namespace, *one) for one in names if one[0]]
    found = {policy.name: policy for policy in (*_floors(objects, chosen.namespace), *named)}
    if len(found) > MAX_POLICIES:
        why = f"more than {MAX_POLICIES} policies hold over it: say in fewer what must hold in the whole namespace"
        raise Refused(Reason.PolicyUnsatisfiable, chosen.run_origin, "spec.policy", why)
    for policy in found.values():
        check_template(policy, objects.origin(policy))
    return tuple(found.values())


def _floors(objects: Objects, namespace: str) -> list[SympoziumPolicy]:
    return [
        policy
        for policy in objects.all(SympoziumPolicy)
        if policy.metadata.labels.get(FLOOR_LABEL) == "true" and policy.namespace in ("", namespace)
    ]


def _named(objects: Objects, namespace: str, name: str, origin: Origin, field: str) -> SympoziumPolicy:
    policy = objects.get(SympoziumPolicy, name, namespace)
    if policy is not None:
        return policy
    if name in BUILT_IN:
        return SympoziumPolicy(metadata=Metadata(name=name), spec=PolicyObjectSpec(template=BUILT_IN[name]))
    known = sorted({*BUILT_IN, *(p.name for p in objects.all(SympoziumPolicy))})
    why = f"there is no SympoziumPolicy {name}; known are {', '.join(known)}"
    raise Refused(Reason.MissingReference, origin, field, why)


def check_template(policy: SympoziumPolicy, origin: Origin) -> None:
    """A policy that stands in for a built-in one has its template. Raises InvalidObject."""
    wanted = BUILT_IN.get(policy.name)
    if wanted and policy.spec.template != wanted:
        why = f"a policy named {policy.name} must have the template {wanted}"
        raise InvalidObject(origin.file, origin.document, "spec.template", why)


def policy_spec(policy: SympoziumPolicy) -> PolicySpec:
    """The part of a policy that judges calls."""
    spec = policy.spec
    return PolicySpec(
        name=policy.name,
        template=spec.template,
        denied_tools=spec.denied_tools,
        require_approval=spec.require_approval,
        allowed_tools=spec.allowed_tools,
        sandbox=spec.sandbox.enabled or spec.template == "Restrictive",
        runtime_class=spec.sandbox.runtime_class,
    )
