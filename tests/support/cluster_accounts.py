"""An API server as an account of it sees it: with that account's own token."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import yaml

from sympozium_protocol.kube.client import Client
from sympozium_protocol.kube.login import login
from tests.support.cluster import Cluster

T = TypeVar("T")


def kubeconfig_of(cluster: Cluster, namespace: str, account: str, folder: Path) -> Path:
    """A kubeconfig with a token of this ServiceAccount, good for an hour."""
    token = cluster.kubectl("create", "token", account, "-n", namespace, "--duration=1h").strip()
    config = yaml.safe_load(Path(cluster.kubeconfig).read_text())
    config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
    path = folder / f"{namespace}-{account}.kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


def acting(kubeconfig: Path, act: Callable[[Client], Awaitable[T]]) -> T:
    """What ``act`` returns, done with this kubeconfig."""

    async def run() -> T:
        async with Client(await login(str(kubeconfig))) as client:
            return await act(client)

    return asyncio.run(run())
