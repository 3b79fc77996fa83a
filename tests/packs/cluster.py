"""What a cluster says of one crashing pod, and of one Helm release: the few answers that kubectl and helm ask for."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

POD = "api-7d9f-x2x"
NAMESPACE = "payments"


def cluster(**more: Any) -> dict[str, Any]:
    """Answers by path; ``more``: further ones of the namespace, by kind."""
    pods = f"/api/v1/namespaces/{NAMESPACE}/pods"
    return {
        "/version": {"major": "1", "minor": "32", "gitVersion": "v1.32.0"},
        "/api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
        "/api/v1": _resources(),
        pods: _table(),
        f"{pods}/{POD}": _pod(),
        f"{pods}/{POD}/log": "2026-01-01T09:02:11.000000000Z fatal: PAYMENTS_DB is not set\n",
        f"/api/v1/namespaces/{NAMESPACE}/events": _events(),
        **{f"/api/v1/namespaces/{NAMESPACE}/{kind}": value for kind, value in more.items()},
    }


def kubeconfig(path: Path, url: str) -> Path:
    """A file that names this cluster and no other."""
    file = path / "kubeconfig"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": NAMESPACE}}],
        "current-context": "x",
    }
    file.write_text(json.dumps(document))
    return file


def releases(name: str, manifest: str, values: dict[str, Any]) -> dict[str, Any]:
    """The Secrets in which Helm keeps a release, as a list."""
    release = {
        "name": name,
        "namespace": NAMESPACE,
        "version": 3,
        "info": {
            "status": "deployed",
            "last_deployed": "2026-01-01T09:00:00Z",
            "first_deployed": "2026-01-01T08:00:00Z",
        },
        "chart": {"metadata": {"name": name, "version": "1.4.0", "apiVersion": "v2"}, "values": {}, "templates": []},
        "config": values,
        "manifest": manifest,
    }
    packed = base64.b64encode(gzip.compress(json.dumps(release).encode()))
    labels = {"name": name, "owner": "helm", "status": "deployed", "version": "3"}
    secret = {
        "metadata": {"name": f"sh.helm.release.v1.{name}.v3", "namespace": NAMESPACE, "labels": labels},
        "type": "helm.sh/release.v1",
        "data": {"release": base64.b64encode(packed).decode()},
    }
    return {"kind": "SecretList", "apiVersion": "v1", "metadata": {}, "items": [secret]}


def _resources() -> dict[str, Any]:
    kinds = {"pods": ("Pod", ["po"]), "events": ("Event", ["ev"]), "secrets": ("Secret", [])}
    listed = [
        {
            "name": name,
            "singularName": "",
            "namespaced": True,
            "kind": kind,
            "verbs": ["get", "list"],
            "shortNames": short,
        }
        for name, (kind, short) in kinds.items()
    ]
    return {"kind": "APIResourceList", "groupVersion": "v1", "resources": listed}


def _table() -> dict[str, Any]:
    """Pods as the API server prepares them for people."""
    columns = [{"name": name, "type": "string"} for name in ("Name", "Ready", "Status", "Restarts")]
    row = {
        "cells": [POD, "0/1", "CrashLoopBackOff", "11"],
        "object": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": POD}},
    }
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {},
        "columnDefinitions": columns,
        "rows": [row],
    }


def _pod() -> dict[str, Any]:
    last = {"terminated": {"exitCode": 1, "reason": "Error"}}
    state = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}}
    status = {
        "name": "api",
        "ready": False,
        "restartCount": 11,
        "state": state,
        "lastState": last,
        "image": "payments:2.1",
    }
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": POD, "namespace": NAMESPACE, "uid": "u1", "labels": {"app": "payments"}},
        "spec": {"containers": [{"name": "api", "image": "payments:2.1"}], "nodeName": "node-1"},
        "status": {"phase": "Running", "containerStatuses": [status]},
    }


def _events() -> dict[str, Any]:
    event = {
        "metadata": {"name": "e1", "namespace": NAMESPACE, "creationTimestamp": "2026-01-01T09:02:12Z"},
        "involvedObject": {"kind": "Pod", "name": POD, "namespace": NAMESPACE, "uid": "u1"},
        "type": "Warning",
        "reason": "BackOff",
        "message": "Back-off restarting failed container api",
        "count": 11,
        "lastTimestamp": "2026-01-01T09:02:12Z",
    }
    return {"kind": "EventList", "apiVersion": "v1", "metadata": {}, "items": [event]}
