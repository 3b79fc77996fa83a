"""Who starts a test cluster, who shares it, and who ends it: nothing of it outlives the tests, even killed ones."""

from __future__ import annotations

import fcntl
import functools
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.cluster import SCRIPTS, Cluster
from tests.support.cluster_node import NodeCluster

REQUIRED = "SYMPOZIUM_CLUSTER"
"""Set to ``required``: a machine without cluster fails such a test."""
GIVEN = "TEST_KUBECONFIG"
"""Path of a kubeconfig: the cluster of its current context is used, and none is started."""
END = 'tests=$1; "$2/down.sh" "$tests/state"; rm -rf "$tests"'


def given() -> NodeCluster | None:
    """The cluster of TEST_KUBECONFIG, if there is one. Skips, or fails, when there is no kubectl for it."""
    path = os.environ.get(GIVEN)
    return NodeCluster(Path(path).expanduser(), shutil.which("kubectl") or f"{built()}/bin/kubectl") if path else None


@contextmanager
def start_cluster(node: bool = False, **flags: str) -> Iterator[NodeCluster]:
    """A cluster for this caller alone: it may be killed, and filled. ``flags``: see ``Cluster.start``."""
    with _used(f"own-{secrets.token_hex(4)}", node, flags) as cluster:
        yield cluster


@contextmanager
def shared_cluster(node: bool = False) -> Iterator[NodeCluster]:
    """The cluster of TEST_KUBECONFIG, or one of all workers of this test session, with or without a node.

    The first worker that wants it starts it, and the last one that is done ends it.
    """
    if cluster := given():
        yield cluster
        return
    session = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"{os.getpid()}")[:12]
    with _used(f"{session}-{'node' if node else 'plane'}", node, {}) as cluster:
        yield cluster


@functools.cache
def built() -> Path:
    """The folder of the programs. Skips, or fails where the cluster is required, when they are not built."""
    done = subprocess.run([str(SCRIPTS / "build.sh"), "--where"], capture_output=True, text=True, check=False)
    if done.returncode:
        cannot(done.stderr.strip())
    return Path(done.stdout.strip())


def cannot(why: str) -> None:
    """Skip for this reason, or fail where the cluster is required."""
    if os.environ.get(REQUIRED) == "required":
        pytest.fail(why)
    pytest.skip(why)


@contextmanager
def _used(name: str, node: bool, flags: dict[str, str]) -> Iterator[NodeCluster]:
    folder = built()
    if node and (os.geteuid() != 0 or not (folder / ".dns").exists()):
        cannot("a node needs root, and make cluster run by root")
    tests = Path(tempfile.gettempdir()) / f"szc-{name}"  # short: sockets of the node have long paths below it
    state = tests / "state"
    cluster = NodeCluster(state / "admin.kubeconfig", str(folder / "bin" / "kubectl"), state)
    users = _use(tests)
    guard = _guard(tests)
    try:
        cluster.start(node, **flags)
        yield cluster
    finally:
        guard.kill()
        guard.wait()
        _leave(tests, users, cluster)


def _use(tests: Path) -> int:
    """A shared lock that says that this process uses the cluster; the kernel drops it with the process."""
    while True:
        tests.mkdir(mode=0o700, exist_ok=True)
        users = os.open(tests / "users", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(users, fcntl.LOCK_SH)
        if _still(tests / "users", users):
            return users
        os.close(users)  # the last user removed it meanwhile


def _still(path: Path, opened: int) -> bool:
    try:
        return path.stat().st_ino == os.fstat(opened).st_ino
    except FileNotFoundError:
        return False


def _guard(tests: Path) -> subprocess.Popen[bytes]:
    """A process that ends the cluster when nobody holds the lock any more: its users were killed."""
    words = ["flock", str(tests / "users"), "sh", "-c", END, "sh", str(tests), str(SCRIPTS)]
    none = subprocess.DEVNULL
    return subprocess.Popen(words, start_new_session=True, stdin=none, stdout=none, stderr=none)


def _leave(tests: Path, users: int, cluster: Cluster) -> None:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pass  # others use it still
    else:
        cluster.stop()
        shutil.rmtree(tests, ignore_errors=True)
    os.close(users)
