"""ValidatingAdmissionPolicies: what a definition cannot say of an object by itself. Pure.

Lists whose items are of two types, names that mean something, and what depends on the namespace or on who
asks. Each policy has one binding of its name, for the whole cluster, and fails closed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sympozium_controller.crds.kinds import BY_NAME, GROUP, VERSION
from sympozium_controller.lifecycle.view import ANSWERED
from sympozium_controller.memory import MEMORY
from sympozium_controller.names import ANNOTATION_CANCELLER, ANNOTATION_REQUESTER, PREFIX, SYSTEM_NAMESPACE
from sympozium_controller.objects.base import LABEL_PATTERN
from sympozium_controller.policies import BUILT_IN
from sympozium_controller.providers import MODEL
from sympozium_controller.servers import MCP
from sympozium_protocol.layout import RESERVED

RESERVED_NAMES: Final = tuple(sorted({*RESERVED, MODEL, MEMORY, MCP}))
"""Participants and places that a pod has anyway: no skill may be called so."""


@dataclass(frozen=True)
class Validation:
    """A condition, and what a person is told when it does not hold; ``computed``: that is an expression."""

    expression: str
    message: str
    computed: bool = False

    def document(self) -> dict[str, str]:
        return {"expression": self.expression, ("messageExpression" if self.computed else "message"): self.message}


def policies(system_namespace: str = SYSTEM_NAMESPACE) -> tuple[dict[str, Any], ...]:
    """Every policy and its binding. ``system_namespace``: whose SkillPacks may have rights in the whole cluster."""
    found: Mapping[str, Sequence[Validation]] = {
        "SympoziumInstance": (*_skills("spec.skills"), *_POD_TEMPLATE),
        "PersonaPack": _skills("spec.personas.skills"),
        "SkillPack": (_reserved(), _cluster_rights(system_namespace)),
        "SympoziumPolicy": (_templates(),),
        "AgentRun": (_REQUESTER, _CANCELLER, _ANSWERED),
    }
    return tuple(document for kind, validations in found.items() for document in _policy(kind, validations))


def _policy(kind: str, validations: Sequence[Validation]) -> tuple[dict[str, Any], ...]:
    plural = BY_NAME[kind].plural
    rule = {"apiGroups": [GROUP], "apiVersions": [VERSION], "resources": [plural], "operations": ["CREATE", "UPDATE"]}
    spec = {"matchConstraints": {"resourceRules": [rule]}, "variables": _variables(kind)}
    return bound(f"{PREFIX}-{plural.removeprefix(PREFIX)}", spec, *validations)


def bound(name: str, spec: Mapping[str, Any], *validations: Validation) -> tuple[dict[str, Any], ...]:
    """A policy that fails closed, and the binding that makes it hold in the whole cluster."""
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": name}}
    whole = {"failurePolicy": "Fail", **spec, "validations": [validation.document() for validation in validations]}
    binding = {"policyName": name, "validationActions": ["Deny"]}
    return (
        {**head, "kind": "ValidatingAdmissionPolicy", "spec": whole},
        {**head, "kind": "ValidatingAdmissionPolicyBinding", "spec": binding},
    )


def _variables(kind: str) -> list[dict[str, str]]:
    if kind not in _LISTS:
        return []
    return [{"name": "lists", "expression": _LISTS[kind]}, {"name": "names", "expression": _NAMES}]


# -- lists of skills ----------------------------------------------------------------------------------------

# dyn: in a definition the items of these lists have no type, and to a checker of types the list is no field
_LISTS: Final = {
    "SympoziumInstance": "[dyn(object).spec.?skills.orValue([])]",
    "PersonaPack": "dyn(object).spec.personas.map(persona, persona.?skills.orValue([]))",
}
_NAMES: Final = (
    "variables.lists.map(skills, skills.map(skill, type(skill) == string ? skill"
    " : (type(skill) == map ? skill.?skillPackRef.orValue('') : '')))"
)
_NAME: Final = f"matches('{LABEL_PATTERN}')"
_SKILL: Final = (
    f"type(skill) == string ? skill.{_NAME} : (type(skill) == map && 'skillPackRef' in skill"
    f" && type(skill.skillPackRef) == string && skill.skillPackRef.{_NAME}"
    " && skill.all(key, key in ['skillPackRef', 'params'])"
    " && (!('params' in skill) || (type(skill.params) == map && skill.params.size() <= 64)))"
)


def _skills(where: str) -> tuple[Validation, ...]:
    return (
        Validation(
            f"variables.lists.all(skills, skills.all(skill, {_SKILL}))",
            f"{where}: each must be the name of a SkillPack, or {{skillPackRef: NAME, params: {{}}}}",
        ),
        Validation(
            "variables.names.all(names, names.all(name, name == '' || names.exists_one(other, other == name)))",
            f"{where}: no skill may be named twice",
        ),
    )


# -- names, labels and annotations that mean something ------------------------------------------------------

_POD_TEMPLATE: Final = tuple(
    Validation(
        f"object.spec.?podTemplate.{field}.orValue({{}}).all(key, !key.matches('^([^/]*[.])?sympozium[.]ai/'))",
        f"spec.podTemplate.{field}: those of sympozium.ai are not yours to set",
    )
    for field in ("labels", "annotations")
)


def _reserved() -> Validation:
    return Validation(
        f"!(object.metadata.name in {list(RESERVED_NAMES)})",
        "'metadata.name: no skill may be named ' + object.metadata.name + ': the pod has its own'",
        computed=True,
    )


def _templates() -> Validation:
    wanted = dict(BUILT_IN)
    return Validation(
        f"!(object.metadata.name in {wanted}) || object.spec.template == {wanted}[object.metadata.name]",
        "'spec.template: a policy named ' + object.metadata.name + ' must have the template '"
        f" + {wanted}[object.metadata.name]",
        computed=True,
    )


# -- namespace and author -----------------------------------------------------------------------------------


def _cluster_rights(system_namespace: str) -> Validation:
    return Validation(
        f"object.metadata.namespace == '{system_namespace}'"
        " || object.spec.?sidecar.clusterRBAC.orValue([]).size() == 0",
        f"spec.sidecar.clusterRBAC: only a SkillPack in {system_namespace} may have rights in the whole cluster",
    )


_STAMP: Final = f"object.metadata.?annotations[?'{ANNOTATION_REQUESTER}']"
_REQUESTER: Final = Validation(
    f"request.operation == 'CREATE' ? {_STAMP}.orValue(request.userInfo.username) == request.userInfo.username"
    f" : {_STAMP} == oldObject.metadata.?annotations[?'{ANNOTATION_REQUESTER}']",
    f"metadata.annotations: {ANNOTATION_REQUESTER} is who made the run; it names nobody else and never changes",
)
_NOBODY_OR_SELF: Final = f"object.metadata.?annotations[?'{ANNOTATION_CANCELLER}'].orValue(request.userInfo.username)"
_CANCELLER: Final = Validation(
    "request.operation == 'CREATE' || (object.spec.?cancel.orValue(false) && !oldObject.spec.?cancel.orValue(false))"
    f" ? {_NOBODY_OR_SELF} == request.userInfo.username"
    f" : object.metadata.?annotations[?'{ANNOTATION_CANCELLER}'] =="
    f" oldObject.metadata.?annotations[?'{ANNOTATION_CANCELLER}']",
    f"metadata.annotations: {ANNOTATION_CANCELLER} is who cancelled the run; it names nobody else and never changes",
)
_TOLD: Final = f"object.metadata.?annotations[?'{ANSWERED}']"
_APPROVES: Final = (
    f"authorizer.group('{GROUP}').resource('{BY_NAME['AgentRun'].plural}').namespace(request.namespace)"
    ".name(object.metadata.?name.orValue('')).check('approve').allowed()"
)
_ANSWERED: Final = Validation(
    f"(request.operation == 'CREATE' ? !{_TOLD}.hasValue()"
    f" : {_TOLD} == oldObject.metadata.?annotations[?'{ANSWERED}']) || {_APPROVES}",
    f"metadata.annotations: {ANSWERED} begins another attempt; only who may approve the run writes or removes it",
)
