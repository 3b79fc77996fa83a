"""The contexts that a kubeconfig has, for whoever names one that is not there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sympozium_cli.cluster.there import There
from sympozium_protocol.exits import Ended, Reason


def check_context(there: There) -> None:
    """The context that is meant is in the kubeconfig, as far as that can be read. Raises Ended (Usage)."""
    files = there.kubeconfig or os.environ.get("KUBECONFIG", "") or str(Path.home() / ".kube" / "config")
    documents = [value for file in files.split(os.pathsep) if (value := _read(file)) is not None]
    if not documents:  # whoever logs in says that there is none, or that it is not readable
        return
    names = sorted({name for value in documents for name in _contexts(value)})
    current = next((str(value["current-context"]) for value in documents if value.get("current-context")), "")
    if not names:
        raise Ended(Reason.Usage, f"{files}: has no context, and so leads to no cluster; name another: --kubeconfig")
    told = f"it has {', '.join(names)}"
    if there.context and there.context not in names:
        raise Ended(Reason.Usage, f"command line: --context: {files} has no context {there.context}; {told}")
    if not there.context and current not in names:
        why = f"its current context {current} is not in it" if current else "it names no current context"
        raise Ended(Reason.Usage, f"{files}: {why}; say which with --context: {told}")


def _read(file: str) -> dict[str, Any] | None:
    """None where it cannot be read. Raises Ended (Usage)."""
    import yaml

    try:
        value = yaml.safe_load(Path(file).read_bytes())
    except (OSError, ValueError, yaml.YAMLError):
        return None
    if not isinstance(value, dict | None):
        raise Ended(Reason.Usage, f"{file}: is no kubeconfig: it holds no fields such as clusters and contexts")
    return value or {}


def _contexts(value: dict[str, Any]) -> list[str]:
    found = value.get("contexts")
    named = found if isinstance(found, list) else ()
    return [str(one["name"]) for one in named if isinstance(one, dict) and one.get("name")]
