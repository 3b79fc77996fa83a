"""A compose project as the plain values of its file (compose-spec.io). Pure."""

from __future__ import annotations

import re
from typing import Any

import yaml

from sympozium_controller.pod import SecretEnv
from sympozium_controller.render.compose import (
    PROGRAM_LABEL,
    RUN_LABEL,
    SECRETS,
    TMP,
    TMP_SIZE,
    USER,
    Mounted,
    Project,
    Service,
    Volume,
)


def text(project: Project) -> str:
    """The file itself."""
    return yaml.safe_dump(document(project), sort_keys=False, allow_unicode=True, width=120)


def document(project: Project) -> dict[str, Any]:
    """What ``docker compose`` reads."""
    inside = bool(project.volumes)
    secrets = sorted({_source(secret, service, project) for service in project.services for secret in service.secrets})
    value: dict[str, Any] = {
        "name": project.name,
        "services": {service.name: _service(service, project) for service in project.services},
        "networks": {name: {"labels": {RUN_LABEL: project.run}} for name in project.networks},
        "volumes": {volume.name: _volume(volume, project) for volume in project.volumes},
        "configs": {name: {"content": _literal(text)} for name, text in project.configs},
        "secrets": {name: {"file": f"${{{name}_FILE:?name the file that holds it}}"} for name in secrets if inside},
    }
    return {key: found for key, found in value.items() if found}


def _literal(text: str) -> str:
    """Compose puts variables in where a dollar stands."""
    return text.replace("$", "$$")


def _service(service: Service, project: Project) -> dict[str, Any]:
    bounds = service.bounds
    value: dict[str, Any] = {
        "image": service.image,
        "command": [_literal(word) for word in service.command],
        "user": service.user,
        "working_dir": service.working_dir,
        "environment": {name: _literal(text) for name, text in service.environment},
        "read_only": service.read_only,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "cpus": bounds.cpu,
        "mem_limit": bounds.memory,
        "memswap_limit": bounds.memory,
        "pids_limit": bounds.processes,
        "stop_grace_period": f"{service.grace}s",
        "tmpfs": [f"{TMP}:size={TMP_SIZE},mode=1777"],
        "volumes": [_mount(mount) for mount in service.mounts],
        "labels": {RUN_LABEL: project.run, PROGRAM_LABEL: service.name},
        **({"networks": [service.network]} if service.network else {"network_mode": "none"}),
    }
    if service.network:
        value["extra_hosts"] = ["host.docker.internal:host-gateway"]
    if service.runtime:
        value["runtime"] = service.runtime
    if service.restart:
        value["restart"] = "on-failure:5"
    if service.after:
        value["depends_on"] = {name: {"condition": "service_started"} for name in service.after}
    if project.volumes:
        value["secrets"] = [
            {"source": _source(one, service, project), "target": f"{SECRETS}/{one.variable}"} for one in service.secrets
        ]
    if service.configs:
        value["configs"] = [{"source": source, "target": target} for source, target in service.configs]
    return value


def _source(secret: SecretEnv, service: Service, project: Project) -> str:
    """The variable's name; with the service's before it where another service has another secret of that name."""
    alike = {one for other in project.services for one in other.secrets if one.variable == secret.variable}
    if len(alike) == 1:
        return secret.variable
    return f"{re.sub('[^A-Za-z0-9]', '_', service.name)}_{secret.variable}"


def _mount(mount: Mounted) -> dict[str, Any]:
    value: dict[str, Any] = {
        "type": "bind" if mount.bind else "volume",
        "source": mount.source,
        "target": mount.target,
    }
    if not mount.writable:
        value["read_only"] = True
    if mount.bind:
        value["bind"] = {"create_host_path": False}
    return value


def _volume(volume: Volume, project: Project) -> dict[str, Any]:
    if volume.outlives:
        return {"name": volume.outlives}
    labels = {"labels": {RUN_LABEL: project.run}}
    if not volume.size:
        return labels
    uid, _, gid = USER.partition(":")
    options = f"size={volume.size},uid={uid},gid={gid},mode=0700"
    return {**labels, "driver_opts": {"type": "tmpfs", "device": "tmpfs", "o": options}}
