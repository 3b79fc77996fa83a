"""The controller's roles and its fence on a real API server: what it can give to runs, and what it cannot do itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sympozium_controller.errors import Origin
from sympozium_controller.grants import Grant, RbacRule
from sympozium_controller.install.fence import fence
from sympozium_controller.install.roles import CONTROLLER, GRANTABLE, controller, grantable, grantable_part, keeper
from sympozium_controller.lifecycle.rights import rights, taken_back, why_refused
from sympozium_protocol.exits import Reason
from sympozium_protocol.kube.api import KubeObject
from sympozium_protocol.kube.client import Client
from sympozium_protocol.kube.errors import Forbidden, KubeError, NotFound
from sympozium_protocol.kube.resources import (
    CLUSTER_ROLES,
    CONFIG_MAPS,
    DEPLOYMENTS,
    JOBS,
    KNOWN,
    ROLE_BINDINGS,
    ROLES,
    SECRETS,
    SERVICE_ACCOUNTS,
)
from tests.support.cluster import Cluster
from tests.support.cluster_accounts import acting, kubeconfig_of

PACKS = Path(__file__).parents[2] / "sidecars" / "packs" / "sympozium_packs"
SYSTEM = "sympozium-system"
OWNER = {"apiVersion": "sympozium.ai/v1alpha1", "kind": "AgentRun", "name": "look", "uid": "u-1"}
READ_PODS = RbacRule(("",), ("pods", "pods/log"), ("get", "list"))

pytestmark = pytest.mark.xdist_group("rights")  # what one of these grants, all workers' controllers may grant


@pytest.fixture(scope="module")
def installed(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The roles and the fence; a kubeconfig of the controller's account."""
    if not cluster.own:
        pytest.skip("roles and a fence are not put into a cluster of yours")
    home = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": CONTROLLER, "namespace": SYSTEM}},
    ]
    cluster.apply([*home, *grantable(), *controller(), *keeper(), *fence()], "--server-side")
    kubeconfig = kubeconfig_of(cluster, SYSTEM, CONTROLLER, tmp_path_factory.mktemp("controller"))
    # rules of an aggregated role are gathered by the server's controllers, and its policies take a moment to hold
    cluster.wait("jsonpath={.rules[0].verbs[0]}", f"clusterrole/{GRANTABLE}")
    cluster.wait("jsonpath={.status.observedGeneration}", "validatingadmissionpolicy/sympozium-fence")
    _until_fenced(kubeconfig)
    yield kubeconfig
    cluster.kubectl("delete", "validatingadmissionpolicybinding", "sympozium-fence", "--ignore-not-found")


def _until_fenced(kubeconfig: Path) -> None:
    async def act(api: Client) -> str:
        for _ in range(600):
            try:
                made = await api.create(SERVICE_ACCOUNTS, {"metadata": {"generateName": "stray-"}}, "default")
                await api.delete(SERVICE_ACCOUNTS, made["metadata"]["name"], "default")
            except Forbidden as error:
                if "sympozium-fence" in error.message:
                    return error.message
        raise AssertionError("the fence does not hold")

    acting(kubeconfig, act)


def granted(*rules: RbacRule, at: tuple[str, ...]) -> Grant:
    return Grant("k8s-ops", rules, at, Origin("pack"), shipped=True)


def objects(namespace: str, *grants: Grant, run: str = "look-0123456789") -> tuple[KubeObject, ...]:
    return rights(run, "u-1", namespace, {**OWNER, "uid": "1"}, grants)


async def create(api: Client, found: Iterable[KubeObject]) -> list[KubeObject]:
    made = []
    for one in found:
        one["metadata"].pop("ownerReferences", None)  # there is no AgentRun here: the collector would take it away
        resource = KNOWN[one["apiVersion"], one["kind"]]
        made.append(await api.create(resource, one, one["metadata"].get("namespace", "")))
    return made


async def take_back(api: Client, account: KubeObject) -> None:
    for one in taken_back(account):
        await api.delete(one.resource, one.name, one.namespace, uid=one.uid)


def allowed(cluster: Cluster, account: str, namespace: str, *words: str) -> bool:
    """May the account do this? As the server answers."""
    who = f"--as=system:serviceaccount:{namespace}:{account}"
    return cluster.kubectl("auth", "can-i", *words, who, check=False).startswith("yes")


def refused(kubeconfig: Path, found: Iterable[KubeObject]) -> Forbidden:
    with pytest.raises(Forbidden) as error:
        acting(kubeconfig, lambda api: create(api, found))
    return error.value


def test_what_a_pack_needs_is_granted_for_its_run_and_taken_back_to_the_last_object(
    cluster: Cluster, installed: Path, namespace: str
) -> None:
    other = "default"
    everywhere = granted(RbacRule(("",), ("nodes",), ("get", "list")), at=())
    found = objects(namespace, granted(READ_PODS, at=(namespace, other)), everywhere)
    account = acting(installed, lambda api: create(api, found))[0]
    name = account["metadata"]["name"]
    assert allowed(cluster, name, namespace, "list", "pods", "-n", namespace)
    assert allowed(cluster, name, namespace, "get", "pods/log", "-n", other)
    assert allowed(cluster, name, namespace, "list", "nodes")
    assert not allowed(cluster, name, namespace, "list", "pods", "-n", SYSTEM)
    assert not allowed(cluster, name, namespace, "delete", "pods", "-n", namespace)

    async def end(api: Client) -> None:
        await take_back(api, account)
        for one in found:
            resource = KNOWN[one["apiVersion"], one["kind"]]
            with pytest.raises(NotFound):
                await api.get(resource, one["metadata"]["name"], one["metadata"].get("namespace", ""))

    acting(installed, end)
    assert not allowed(cluster, name, namespace, "list", "pods", "-n", namespace)


@pytest.mark.parametrize("pack", ["k8s-ops", "sre-observability", "llmfit"])
def test_what_a_shipped_pack_asks_for_can_be_granted(installed: Path, namespace: str, pack: str) -> None:
    sidecar = yaml.safe_load((PACKS / pack / "pack.yaml").read_text())["sidecar"]
    grants = [granted(*rules_of(sidecar.get("rbac", ())), at=(namespace,))]
    grants.append(granted(*rules_of(sidecar.get("clusterRBAC", ())), at=()))
    found = objects(namespace, *grants, run=f"{pack}-0123456789")
    assert found
    made = acting(installed, lambda api: create(api, found))
    acting(installed, lambda api: take_back(api, made[0]))


def rules_of(rules: Iterable[dict[str, Any]]) -> Iterator[RbacRule]:
    for one in rules:
        yield RbacRule(tuple(one["apiGroups"]), tuple(one["resources"]), tuple(one["verbs"]))


def test_secrets_cannot_be_granted_and_the_refusal_names_what_was_asked(installed: Path, namespace: str) -> None:
    rule = RbacRule(("",), ("pods", "secrets"), ("get", "list"))
    error = refused(installed, objects(namespace, granted(rule, at=(namespace,)))[1:])
    why = why_refused(error, namespace)
    assert why is not None
    assert why[0] is Reason.PolicyUnsatisfiable
    assert re.search(rf"in namespace {namespace} .* list secrets", why[1])
    assert "pods" not in why[1]


@pytest.mark.parametrize("names", [(), ("one",)])
def test_what_the_controller_may_look_at_itself_it_cannot_give_to_runs(
    installed: Path, namespace: str, names: tuple[str, ...]
) -> None:
    rule = RbacRule(("",), ("secrets",), ("get",), names)
    for at in ((namespace,), ()):
        why = why_refused(refused(installed, objects(namespace, granted(rule, at=at))[1:2]), namespace)
        assert why is not None
        assert "secrets are granted only where sympozium-grantable has them" in why[1]


def test_whoever_lets_runs_have_secrets_says_so_with_a_label(cluster: Cluster, installed: Path, namespace: str) -> None:
    sidecar = yaml.safe_load((PACKS / "helm" / "pack.yaml").read_text())["sidecar"]
    found = objects(namespace, granted(*rules_of(sidecar["rbac"]), at=(namespace,)), run="helm-0123456789")
    assert why_refused(refused(installed, found[1:2]), namespace)
    part = grantable_part("helm", sidecar["rbac"])
    cluster.apply(part)
    try:
        cluster.wait("jsonpath={.rules[?(@.resources[0]=='secrets')].verbs[0]}", f"clusterrole/{GRANTABLE}")
        # authorizers read roles from a cache of their own
        made = acting(installed, lambda api: once_granted(api, found))
        acting(installed, lambda api: take_back(api, made[0]))
    finally:
        cluster.kubectl("delete", "clusterrole", part["metadata"]["name"])
        acting(installed, lambda api: once_refused(api, found[1]))


async def once_refused(api: Client, role: KubeObject) -> None:
    for _ in range(600):
        try:
            made = await create(api, [role])
        except Forbidden:
            return
        await api.delete(ROLES, made[0]["metadata"]["name"], made[0]["metadata"]["namespace"])
    raise AssertionError("the controller may still grant it")


async def once_granted(api: Client, found: tuple[KubeObject, ...]) -> list[KubeObject]:
    account = await create(api, found[:1])
    for _ in range(600):
        try:
            return [*account, *await create(api, found[1:])]
        except Forbidden as error:
            last = error
    raise last


def test_a_pack_with_every_right_is_refused(installed: Path, namespace: str) -> None:
    everything = RbacRule(("*",), ("*",), ("*",))
    for grant in (granted(everything, at=(namespace,)), granted(everything, at=())):
        assert why_refused(refused(installed, objects(namespace, grant)[1:2]), namespace)


@pytest.mark.parametrize("place", ["kube-system", "kube-public", SYSTEM])
def test_no_run_is_given_rights_where_the_cluster_or_the_system_lives(
    installed: Path, namespace: str, place: str
) -> None:
    found = objects(namespace, granted(READ_PODS, at=(place,)))[1:]
    assert "sympozium-fence" in refused(installed, found).message


def test_an_existing_powerful_role_cannot_be_bound(installed: Path, namespace: str) -> None:
    binding = objects(namespace, granted(READ_PODS, at=(namespace,)))[2]
    binding["roleRef"] = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    assert "not currently held" in refused(installed, [binding]).message


def test_rights_are_bound_to_the_runs_own_account_alone(installed: Path, namespace: str) -> None:
    role, binding = objects(namespace, granted(READ_PODS, at=(namespace,)))[1:]
    binding["subjects"] = [{"kind": "User", "name": "mallory", "apiGroup": "rbac.authorization.k8s.io"}]
    assert "own account" in refused(installed, [role, binding]).message
    role["metadata"]["name"] = "another"
    role["metadata"]["labels"].pop("sympozium.ai/run-uid")
    role["metadata"]["labels"]["sympozium.ai/instance"] = "watch"
    assert "to runs alone" in refused(installed, [role]).message


def test_what_the_controller_may_grant_it_cannot_do_to_others(
    cluster: Cluster, installed: Path, namespace: str
) -> None:
    cluster.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs", "namespace": namespace}})
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    theirs = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "theirs", "namespace": namespace},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": template},
    }
    cluster.create(theirs)

    async def attempts(api: Client) -> list[str]:
        said = []
        label = {"metadata": {"labels": {"app.kubernetes.io/managed-by": "sympozium", "sympozium.ai/run-uid": "u"}}}
        for attempt in (
            api.patch(CONFIG_MAPS, "theirs", {"data": {"a": "b"}}, namespace),
            api.patch(CONFIG_MAPS, "theirs", label, namespace),
            api.patch(DEPLOYMENTS, "theirs", {"spec": {"replicas": 5}}, namespace),
            api.patch(DEPLOYMENTS, "theirs", {"spec": {"replicas": 5}}, namespace, subresource="scale"),
            api.delete(DEPLOYMENTS, "theirs", namespace),
            api.create(SERVICE_ACCOUNTS, {"metadata": {"name": "another"}}, namespace),
            api.create(SERVICE_ACCOUNTS, {"metadata": {"name": "sympozium-run"}}, "kube-system"),
        ):
            with pytest.raises(Forbidden) as error:
                await attempt
            said.append(error.value.message)
        return said

    assert all("sympozium-fence" in one for one in acting(installed, attempts))


def test_what_the_controller_starts_reaches_into_no_node(installed: Path, namespace: str) -> None:
    labels = {"app.kubernetes.io/managed-by": "sympozium", "sympozium.ai/run-uid": "u-1"}

    def job(name: str, **pod: Any) -> KubeObject:
        spec = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}], **pod}
        return {"metadata": {"name": name, "labels": labels}, "spec": {"template": {"spec": spec}}}

    async def attempts(api: Client) -> None:
        for pod in ({"hostNetwork": True}, {"volumes": [{"name": "root", "hostPath": {"path": "/"}}]}):
            with pytest.raises(Forbidden, match="reaches into its node"):
                await api.create(JOBS, job("bad", **pod), namespace)
        made = await api.create(JOBS, job("good", volumes=[{"name": "tmp", "emptyDir": {}}]), namespace)
        await api.delete(JOBS, "good", namespace, uid=made["metadata"]["uid"])

    acting(installed, attempts)


def test_the_controller_lists_no_secrets_and_makes_nobodys_token(
    cluster: Cluster, installed: Path, namespace: str
) -> None:
    async def attempts(api: Client) -> None:
        for attempt in (
            api.list(SECRETS, namespace),
            api.list(SECRETS, SYSTEM),
            api.patch(SECRETS, "any", {"data": {}}, namespace),
            api.create(SERVICE_ACCOUNTS, {"spec": {}}, namespace, name="default", subresource="token"),
            api.patch(CLUSTER_ROLES, GRANTABLE, {"rules": []}),
            api.delete(CLUSTER_ROLES, GRANTABLE),
        ):
            with pytest.raises(KubeError) as error:
                await attempt
            assert error.value.status == 403

    acting(installed, attempts)
    for verb, what in (("escalate", "roles"), ("bind", "clusterroles"), ("impersonate", "users")):
        assert not allowed(cluster, CONTROLLER, SYSTEM, verb, what)


def test_a_stranger_who_labels_his_own_role_has_no_more_for_it(cluster: Cluster, installed: Path) -> None:
    """The fence looks at the controller alone: it is no way in for others, and stands in nobody's way."""
    with cluster.namespace() as other:
        role = objects(other, granted(READ_PODS, at=(other,)))[1]
        role["metadata"].pop("ownerReferences")
        cluster.create(role)

        async def act(api: Client) -> None:
            found = await api.list(ROLES, other)
            assert len(found.items) == 1
            assert not (await api.list(ROLE_BINDINGS, other)).items

        acting(installed, act)


def test_a_namespace_that_is_not_there_is_named(installed: Path, namespace: str) -> None:
    found = objects(namespace, granted(READ_PODS, at=("nowhere",)))[1:2]
    with pytest.raises(NotFound) as error:
        acting(installed, lambda api: create(api, found))
    assert why_refused(error.value, "nowhere") == (
        Reason.MissingReference,
        "there is no namespace nowhere, where a skill is to act",
    )
