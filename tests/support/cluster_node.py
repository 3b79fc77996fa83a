"""The node of a test cluster: images that were built on this machine, and how pods reach the machine."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

from tests.support.cluster import SCRIPTS, Cluster
from tests.support.engine import TAG, docker, need_images

HOST = "TEST_HOST_ADDRESS"
"""For a cluster of TEST_KUBECONFIG: the address at which its pods reach this machine."""


def image(name: str) -> str:
    """The name, in pods too, of an image that the bake built: ``agent``; a whole name is left as it is."""
    return name if "/" in name or ":" in name else f"sympozium/{name}:{TAG}"


@dataclass(frozen=True)
class NodeCluster(Cluster):
    """A cluster on which pods run."""

    @property
    def host_address(self) -> str:
        """Where pods find servers of this machine (listening there, or everywhere). Skips where it is not known."""
        if self.state:
            return (self.state / "run" / "node.net").read_text().strip() + ".0.1"
        if HOST not in os.environ:
            pytest.skip(f"{HOST} does not say where pods reach this machine")
        return os.environ[HOST]

    @contextmanager
    def volume(self, namespace: str, claim: str, size: str = "1Gi", mode: str = "ReadWriteOncePod") -> Iterator[None]:
        """A volume that this claim will get. It is root's: a pod needs its fsGroup, as with most storage. Does nothing
        for a cluster of TEST_KUBECONFIG, whose default StorageClass is to provide it.
        """
        if not self.state:
            yield
            return
        folder = self.state / "node" / "volumes" / namespace / claim
        folder.mkdir(parents=True)
        document = volume(f"{namespace}-{claim}", folder, {"namespace": namespace, "name": claim}, size, mode)
        self.create(document)
        try:
            yield
        finally:
            self.kubectl("delete", "pv", document["metadata"]["name"], "--wait=false", check=False)

    def load(self, *names: str) -> None:
        """Bring images of the local engine to the node, once each. Skips, or fails where an engine is required, when
        they are not built. Does nothing for a cluster of TEST_KUBECONFIG: it has them (``kind load``), or pulls them.
        """
        if self.state:
            need_images(*(name for name in names if image(name) != name))
            self._import(self.state / "node", [image(name) for name in names])

    def _import(self, folder: Path, names: list[str]) -> None:
        with (folder / "images.lock").open("w") as lock:  # another worker may be importing the same
            fcntl.flock(lock, fcntl.LOCK_EX)
            kept = folder / "images"
            had = kept.read_text().splitlines() if kept.exists() else []
            identities = {name: f"{name} {docker('image', 'inspect', '--format', '{{.Id}}', name)}" for name in names}
            if wanted := [name for name in names if identities[name] not in had]:
                self._pipe(wanted)
                kept.write_text("\n".join([*had, *(identities[name] for name in wanted)]))

    def _pipe(self, names: list[str]) -> None:
        with subprocess.Popen(["docker", "save", *names], stdout=subprocess.PIPE) as saved:
            self.ctr("images", "import", "-", stdin=saved.stdout)
        assert saved.returncode == 0, f"the engine cannot save {names}"

    def load_files(self, name: str, files: dict[str, Path], *entrypoint: str) -> None:
        """Make an image of these files (by their paths in it) and bring it to the node; needs no engine."""
        tar = self._state() / "node" / "files.tar"
        pairs = [f"{source}={path}" for path, source in files.items()]
        words = [f"--entrypoint={word}" for word in entrypoint]
        subprocess.run(["python3", str(SCRIPTS / "image.py"), name, str(tar), *words, *pairs], check=True)
        self.ctr("images", "import", str(tar))
        tar.unlink()

    def ctr(self, *words: str, stdin: IO[bytes] | None = None) -> str:
        """containerd's client on the node."""
        command = [str(SCRIPTS / "ctr.sh"), str(self._state()), *words]
        done = subprocess.run(command, stdin=stdin, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


def volume(name: str, folder: Path, claim: dict[str, str], size: str, mode: str) -> dict[str, Any]:
    """A PersistentVolume that is a folder of the node, for one claim."""
    anywhere = {"key": "kubernetes.io/hostname", "operator": "Exists"}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": size},
            "accessModes": [mode],
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": claim,
            "local": {"path": str(folder)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [anywhere]}]}},
        },
    }
