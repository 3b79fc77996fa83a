"""Outfit: what the pod of a run needs beyond its RunSpec — images, names of secrets, bounds. Pure.

And the values of those secrets, for whoever starts the programs: they enter neither RunSpec nor Pod.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from sympozium_controller.choice import Chosen, choose
from sympozium_controller.documents import Objects
from sympozium_controller.errors import Origin, Refused
from sympozium_controller.flags import Flags
from sympozium_controller.grants import Grant, grants_of
from sympozium_controller.objects import Secret, SkillPack
from sympozium_controller.objects.instance import ContainerResources, PodTemplate
from sympozium_controller.packs import pack_files
from sympozium_controller.pod import PackFiles, Placing, Pod, Program, Resources, SecretEnv
from sympozium_controller.providers import PROVIDERS, Known, known_provider
from sympozium_controller.servers import secrets_of_servers, servers_of
from sympozium_controller.skills import PARAMETER_PREFIX, Skill, skills_of
from sympozium_protocol.exits import Reason

SHELL_IMAGE: Final = "skill-shell"
"""What a pack that names no image runs in: the common tools."""
API_KEY: Final = "apiKey"
"""The key of an instance's Secret."""
FROM_ENVIRONMENT: Final = ""
_CREDENTIALS: Final = frozenset(known.variable for known in PROVIDERS.values() if known.variable) | {
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
}
"""What the gateway may find in the environment and has no file for."""
"""The ``secret`` of a variable that is looked for in the developer's environment alone."""

NO_BOUNDS: Final = Resources()
NO_FILES: Final = PackFiles("", ())

MAX_VALUE: Final = 127 << 10
"""Bytes of a secret: Linux takes 128 KiB in one variable, its name included."""

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_TAKEN: Final = re.compile(
    rf"(PATH|HOME|SHELL|IFS|ENV|TMPDIR|BASH.*|LD_.*|GCONV_PATH|PYTHON.*|PERL.*|NODE_.*|GIT_.*|SYMPOZIUM_.*|{PARAMETER_PREFIX}.*)"
)
"""Variables that change how programs run: no Secret may set them."""


@dataclass(frozen=True)
class SkillOutfit:
    """One sidecar's: ``secrets`` are variables by name, never their values."""

    image: str
    params: tuple[tuple[str, str], ...] = ()
    secrets: tuple[SecretEnv, ...] = ()
    resources: Resources = NO_BOUNDS
    egress: tuple[str, ...] = ()
    has_rights: bool = False
    """Does its pack ask for rights in a cluster?"""
    files: PackFiles = field(default=NO_FILES)


@dataclass(frozen=True)
class Outfit:
    """What assemble needs beside the RunSpec."""

    skills: Mapping[str, SkillOutfit] = field(default_factory=dict)
    model_secrets: tuple[SecretEnv, ...] = ()
    model_inherits: tuple[str, ...] = ()
    """Names in the developer's environment that the model gateway may see, if they are there."""
    agent_resources: Resources = NO_BOUNDS
    mcp_secrets: tuple[SecretEnv, ...] = ()
    """Keys of the Secrets that MCP servers name: the MCP bridge alone has them."""
    placing: Placing = field(default_factory=Placing)
    grants: tuple[Grant, ...] = ()
    """What the skills may do in a cluster: a laptop gives nobody rights."""


def outfit(objects: Objects, packs: Mapping[str, SkillPack], flags: Flags) -> Outfit:
    """Of the same run as ``resolve`` with these arguments. Raises Refused."""
    chosen = choose(objects, flags)
    _, known = known_provider(chosen, flags)
    secrets, inherits = _key(chosen, known)
    skills = skills_of(objects, packs, chosen)
    return Outfit(
        skills={s.pack.name: _skill(s, objects, chosen) for s in skills if s.pack.spec.sidecar},
        model_secrets=secrets,
        model_inherits=inherits,
        agent_resources=_resources(chosen.instance.spec.resources),
        mcp_secrets=secrets_of_servers(servers_of(objects, chosen, flags)),
        placing=_placing(chosen.instance.spec.pod_template),
        grants=grants_of(skills, chosen),
    )


def _key(chosen: Chosen, known: Known) -> tuple[tuple[SecretEnv, ...], tuple[str, ...]]:
    """A key that must be there is a secret; one that a server may want or not is inherited."""
    provider = chosen.instance.spec.provider
    assert provider is not None
    if known.variable and provider.api_key_secret:
        return (SecretEnv(known.variable, provider.api_key_secret, API_KEY),), known.inherits
    if known.needs_key and (known.needs_url or not provider.base_url):
        return (SecretEnv(known.variable, FROM_ENVIRONMENT, API_KEY),), known.inherits
    # another server than the provider's own may want a key or none: the developer's is there if he set it
    return (), (*known.inherits, known.variable) if known.needs_key else known.inherits


def _skill(skill: Skill, objects: Objects, chosen: Chosen) -> SkillOutfit:
    sidecar = skill.pack.spec.sidecar
    assert sidecar is not None
    return SkillOutfit(
        image=sidecar.image or SHELL_IMAGE,
        params=tuple(skill.params.items()),
        secrets=_skill_secrets(skill, sidecar.secret_ref, objects, chosen),
        resources=_resources(sidecar.resources),
        egress=sidecar.egress,
        has_rights=bool(sidecar.rbac or sidecar.cluster_rbac),
        files=PackFiles(skill.pack.name, pack_files(skill.pack)),
    )


def _skill_secrets(skill: Skill, of_pack: str, objects: Objects, chosen: Chosen) -> tuple[SecretEnv, ...]:
    """Variables of the Secret that the instance gives this skill, or else of the one that the pack names."""
    config = chosen.instance.spec.skill_config.get(skill.pack.name)
    if config and config.secret_ref:
        name, origin, where = config.secret_ref, chosen.instance_origin, f"spec.skillConfig.{skill.pack.name}.secretRef"
    elif of_pack:
        own = skill.origin == objects.origin(skill.pack)
        name, origin, where = of_pack, skill.origin, "spec.sidecar.secretRef" if own else "sidecar.secretRef"
    else:
        return ()
    secret = objects.get(Secret, name, chosen.namespace)
    if secret is None:
        raise Refused(Reason.MissingReference, origin, where, f"there is no Secret {name} in these documents")
    for key in secret.names():
        _check_variable(key, objects.origin(secret))
    return tuple(SecretEnv(key, name, key) for key in secret.names())


def _check_variable(key: str, origin: Origin) -> None:
    if not _VARIABLE.fullmatch(key):
        raise Refused(Reason.InvalidDocument, origin, f"data.{key}", "is no name of an environment variable")
    if _TAKEN.fullmatch(key):
        raise Refused(Reason.InvalidDocument, origin, f"data.{key}", "may not be set: it changes how programs run")


def _resources(found: ContainerResources) -> Resources:
    limits, requests = found.limits, found.requests
    return Resources(
        cpu=limits.cpu or 0.0,
        memory=limits.memory or 0,
        disk=limits.ephemeral_storage or 0,
        reserved_cpu=requests.cpu or 0.0,
        reserved_memory=requests.memory or 0,
        reserved_disk=requests.ephemeral_storage or 0,
    )


def _placing(template: PodTemplate) -> Placing:
    return Placing(
        labels=template.labels,
        annotations=template.annotations,
        nodes=template.node_selector,
        tolerations=tuple(one.model_dump(by_alias=True, exclude_defaults=True) for one in template.tolerations),
        priority=template.priority_class_name,
        pull_secrets=tuple(one["name"] for one in template.image_pull_secrets if "name" in one),
    )


def secret_values(
    objects: Objects, namespace: str, wanted: Iterable[SecretEnv], environment: Mapping[str, str]
) -> dict[SecretEnv, str]:
    """The value of each: from the Secret in the documents, else from the variable in ``environment``.

    Raises Refused: neither has it (MissingKey), or it is too large (InvalidDocument).
    """
    return {one: _value(objects, namespace, one, environment) for one in wanted}


def _value(objects: Objects, namespace: str, wanted: SecretEnv, environment: Mapping[str, str]) -> str:
    secret = objects.get(Secret, wanted.secret, namespace) if wanted.secret else None
    if secret is None:
        if environment.get(wanted.variable):
            return environment[wanted.variable]
        also = f", or give the Secret {wanted.secret} with the key {wanted.key}" if wanted.secret else ""
        raise Refused(Reason.MissingKey, Origin("environment"), wanted.variable, f"no key: set this variable{also}")
    value = secret.value(wanted.key)
    if not value:
        origin = objects.origin(secret)
        raise Refused(Reason.MissingKey, origin, f"data.{wanted.key}", "missing or empty")
    if len(value.encode()) > MAX_VALUE:
        why = f"is larger than {MAX_VALUE >> 10} KiB: no program could be given it"
        raise Refused(Reason.InvalidDocument, objects.origin(secret), f"data.{wanted.key}", why)
    return value


def secrets_of(pod: Pod) -> tuple[SecretEnv, ...]:
    """Every secret that a program of the pod is given."""
    programs: tuple[Program, ...] = (pod.agent, pod.bridge, *pod.participants)
    return tuple(dict.fromkeys(one for program in programs for one in program.secrets))


def with_found_keys(pod: Pod, gateway: str, environment: Mapping[str, str]) -> Pod:
    """The pod for a place that inherits no environment: keys that the gateway would find there are its secrets."""

    def given(program: Program) -> Program:
        had = {one.variable for one in program.secrets}
        names = (name for name in program.inherits if name in _CREDENTIALS and name not in had)
        found = (SecretEnv(name, FROM_ENVIRONMENT, API_KEY) for name in names if environment.get(name))
        return replace(program, secrets=(*program.secrets, *found))

    participants = tuple(given(one) if one.name == gateway else one for one in pod.participants)
    return replace(pod, participants=participants)
