"""The admission server on the wire: whatever it is sent, whatever it cannot find out, it answers and fails closed."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from sympozium_controller.admission.answering import Answering
from sympozium_controller.admission.asking import Asking
from sympozium_controller.admission.configuration import Where, bundle_patch, documents
from sympozium_controller.admission.reviews import Answer, request_of
from sympozium_controller.admission.server import LARGEST, Settings, answered, application
from sympozium_controller.admission.shares import Shares
from sympozium_controller.weight import TOO_HEAVY
from sympozium_protocol.exits import Ended
from sympozium_protocol.kube.api import KubeObject
from sympozium_protocol.kube.errors import Away
from sympozium_protocol.kube.resources import POLICIES, Resource

USER = {"username": "alice", "groups": ["team"]}
INSTANCE = {"metadata": {"name": "i", "namespace": "team"}, "spec": {"provider": {"name": "scripted"}, "skills": []}}
RUN = {
    "apiVersion": "sympozium.ai/v1alpha1",
    "kind": "AgentRun",
    "metadata": {"name": "r", "namespace": "team", "annotations": {"sympozium.ai/requester": "alice"}},
    "spec": {"instanceRef": "i", "input": "x"},
}


class Found:
    """A lookup: what there is, or that nobody can be reached."""

    def __init__(self, *objects: KubeObject, away: bool = False) -> None:
        self.objects = objects
        self.away = away

    async def get(self, resource: Resource, name: str, namespace: str) -> KubeObject | None:
        found = [one for one in await self.all(resource, namespace) if one["metadata"]["name"] == name]
        return found[0] if found else None

    async def all(
        self, resource: Resource, namespace: str, wanted: Callable[[KubeObject], bool] = lambda _: True
    ) -> Sequence[KubeObject]:
        if self.away:
            raise Away("no answer")
        return [one for one in self.objects if one["kind"] == resource.kind and wanted(one)]


class Nobody:
    """An API server that holds that nobody has any right."""

    def __init__(self) -> None:
        self.asked: list[KubeObject] = []

    async def create(self, resource: Resource, body: KubeObject) -> KubeObject:
        self.asked.append(body["spec"])
        return {"status": {"allowed": False}}


def review(value: Mapping[str, Any], operation: str = "CREATE", **request: Any) -> dict[str, Any]:
    kind = {"group": "sympozium.ai", "version": "v1alpha1", "kind": value["kind"]}
    asked = {"uid": "u-1", "kind": kind, "operation": operation, "userInfo": USER, "object": value, **request}
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": asked}


def answering(*objects: KubeObject, away: bool = False, api: Nobody | None = None) -> Answering:
    head = {"apiVersion": "sympozium.ai/v1alpha1"}
    found = Found(*({**head, **one} for one in objects), away=away)
    return Answering(found, Asking(api or Nobody()), "system")  # type: ignore[arg-type]


@asynccontextmanager
async def served(found: Answering) -> AsyncIterator[aiohttp.ClientSession]:
    runner = web.AppRunner(application(found))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    async with aiohttp.ClientSession(f"http://{host}:{port}") as session:
        yield session
    await runner.cleanup()


async def asked(found: Answering, path: str, body: object) -> tuple[int, dict[str, Any]]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with served(found) as session, session.post(path, data=data) as response:
        return response.status, await response.json()


def ask(found: Answering, body: object, path: str = "/judge") -> tuple[int, dict[str, Any]]:
    return asyncio.run(asked(found, path, body))


def test_a_review_is_answered_with_its_own_uid() -> None:
    instance = {"kind": "SympoziumInstance", **INSTANCE}
    status, said = ask(answering(instance), review(RUN))
    assert (status, said) == (
        200,
        {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "response": {"uid": "u-1", "allowed": True},
        },
    )


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [
        (b"nonsense", 400, "the body is no JSON"),
        (b"[" * 10_000, 400, "the body is no JSON"),
        (b'{"a":' * 10_000, 400, "the body is no JSON"),
        (b"[" * 100_000, 400, "the body holds too much, and not in an object"),
        ({}, 400, "apiVersion: must be admission.k8s.io/v1"),
        ({"apiVersion": "admission.k8s.io/v1"}, 400, "request.uid: missing"),
        (
            {"apiVersion": "admission.k8s.io/v1", "request": {"uid": "u"}},
            400,
            "request: must have kind, userInfo and object",
        ),
        (b" " * (LARGEST + 1), 413, "the body is larger than 8 MiB"),
    ],
    ids=["no json", "deep", "deep in objects", "too much", "another kind", "no request", "half a request", "large"],
)
def test_what_is_no_review_gets_an_error_in_json(body: object, status: int, why: str) -> None:
    assert ask(answering(), body) == (status, {"error": why})


def test_an_object_that_is_nested_too_deeply_is_refused_where_it_is() -> None:
    metadata = {"name": "p", "namespace": "team"}
    value = {"apiVersion": "sympozium.ai/v1alpha1", "kind": "SkillPack", "metadata": metadata, "spec": {"params": 0}}
    nested = '{"a":' * 5000 + "1" + "}" * 5000
    body = json.dumps(review(value)).replace('"params": 0', f'"params": {nested}')
    response = ask(answering(), body.encode())[1]["response"]
    assert response["status"]["code"] == 422
    assert "SkillPack team/p: spec.params.a.a" in response["status"]["message"]
    assert "nested too deeply: at most 64 levels" in response["status"]["message"]


@pytest.mark.parametrize("path", ["/judge", "/stamp"])
def test_an_object_that_is_too_large_in_memory_is_refused_before_it_is_read(path: str) -> None:
    pack = {"apiVersion": "sympozium.ai/v1alpha1", "kind": "SkillPack", "metadata": {"name": "p"}}
    large = pack | {"spec": {"params": {"x": [{}] * 480_000}}}
    body = json.dumps(review(large, name="p", namespace="team"), separators=(",", ":"))
    moved = body.replace(',"name":"p","namespace":"team"}}', "}}")  # as Kubernetes writes it: what names it first
    body = moved.replace('"uid":"u-1"', '"uid":"u-1","name":"p","namespace":"team"')
    _, answer = ask(answering(), body.encode(), path)
    status = answer["response"]["status"]
    assert (answer["response"]["uid"], answer["response"]["allowed"], status["code"]) == ("u-1", False, 422)
    assert status["message"] == f"SkillPack team/p: {TOO_HEAVY}"


def test_an_object_that_is_a_little_too_large_is_refused_in_the_same_words() -> None:
    pack = {"apiVersion": "sympozium.ai/v1alpha1", "kind": "SkillPack", "metadata": {"name": "p", "namespace": "team"}}
    _, answer = ask(answering(), review(pack | {"spec": {"params": {"x": [{}] * 30_000}}}))
    assert answer["response"]["status"]["message"] == f"SkillPack team/p: {TOO_HEAVY}"


def test_what_cannot_be_found_out_is_not_let_in() -> None:
    response = ask(answering(away=True), review(RUN))[1]["response"]
    assert response["allowed"] is False
    assert response["status"] == {
        "code": 503,
        "reason": "ServiceUnavailable",
        "message": "what this leads to cannot be found out now: no answer; try again",
    }


def test_what_takes_too_long_is_not_let_in() -> None:
    async def slow(_: object) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    async def late() -> Answer:
        return await answered(request_of(json.dumps(review(RUN)).encode()), slow, Shares(1, 1), budget=0.01)

    found = asyncio.run(late())
    assert found.code == 504
    assert "could not be judged within" in found.message


def test_what_fails_inside_is_not_let_in_and_tells_no_secrets_of_it() -> None:
    broken = {"kind": "SympoziumPolicy"}  # without metadata, as no server writes it
    instance = {"kind": "SympoziumInstance", **INSTANCE}
    response = ask(answering(instance, broken), review(RUN))[1]["response"]
    assert response["allowed"] is False
    assert response["status"]["message"] == "admission failed; its log says why"


def test_an_object_that_is_none_of_ours_is_invalid_and_names_the_field() -> None:
    pack = {"apiVersion": RUN["apiVersion"], "kind": "SkillPack", "metadata": {"name": "p"}, "spec": {"sidecar": 1}}
    response = ask(answering(), review(pack))[1]["response"]
    assert response["status"]["code"] == 422
    assert response["status"]["message"].startswith("SkillPack p: spec.sidecar: ")


def test_rights_are_asked_for_as_the_author_with_his_groups() -> None:
    rule = {"apiGroups": ["apps"], "resources": ["deployments/scale"], "verbs": ["patch"], "resourceNames": ["d"]}
    spec = {"sidecar": {"commands": [], "rbac": [rule]}}
    pack = {**RUN, "kind": "SkillPack", "metadata": {"name": "p", "namespace": "team"}, "spec": spec}
    api = Nobody()
    user = {**USER, "uid": "u", "extra": {"scopes": ["a"]}}
    response = ask(answering(api=api), review(pack, userInfo=user))[1]["response"]
    assert "patch deployments/scale.apps d in the namespace team" in response["status"]["message"]
    attributes = {"namespace": "team", "group": "apps", "resource": "deployments", "verb": "patch"}
    assert api.asked == [
        {
            "resourceAttributes": {**attributes, "subresource": "scale", "name": "d"},
            "user": "alice",
            "groups": ["team"],
            "uid": "u",
            "extra": {"scopes": ["a"]},
        }
    ]


def test_the_requester_is_written_into_the_object() -> None:
    def patch(annotations: object) -> object:
        run = {**RUN, "metadata": {"name": "r", **({"annotations": annotations} if annotations is not None else {})}}
        response = ask(answering(), review(run), "/stamp")[1]["response"]
        return json.loads(base64.b64decode(response["patch"])) if "patch" in response else None

    path = "/metadata/annotations/sympozium.ai~1requester"
    assert patch(None) == [{"op": "add", "path": "/metadata/annotations", "value": {"sympozium.ai/requester": "alice"}}]
    assert patch({"sympozium.ai/requester": "bob"}) == [{"op": "add", "path": path, "value": "alice"}]
    assert patch({"sympozium.ai/requester": "alice"}) is None


def test_a_run_that_says_another_or_no_requester_at_the_end_is_refused() -> None:
    for said, code in (({"sympozium.ai/requester": "bob"}, 403), ({}, 503)):
        run = {**RUN, "metadata": {"name": "r", "namespace": "team", "annotations": said}}
        assert ask(answering(), review(run))[1]["response"]["status"]["code"] == code


def test_configurations_fail_closed_and_are_for_our_kinds_alone() -> None:
    for policies in (True, False):
        found = documents(Where(namespace="system"), system="system", policies=policies)
        webhooks = [one for document in found for one in document.get("webhooks", ())]
        assert {one["failurePolicy"] for one in webhooks} == {"Fail"}
        assert {one["sideEffects"] for one in webhooks} == {"None"}
        rules = [rule for one in webhooks for rule in one["rules"]]
        assert all(rule["apiGroups"] == ["sympozium.ai"] and "DELETE" not in rule["operations"] for rule in rules)
        assert not any("/" in resource for rule in rules for resource in rule["resources"])
        assert POLICIES.plural in {resource for rule in rules for resource in rule["resources"]}


def test_only_a_configuration_that_trusts_something_else_is_patched() -> None:
    found = documents(Where(namespace="system"), system="system", bundle="YQ==")[0]
    assert bundle_patch(found, "YQ==") is None
    patch = bundle_patch(found, "Yg==")
    assert patch
    assert [one["clientConfig"] for one in patch["webhooks"]] == [{"caBundle": "Yg=="}] * 3
    assert [one["name"] for one in patch["webhooks"]] == [one["name"] for one in found["webhooks"]]


def test_settings_that_are_none_name_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYMPOZIUM_ADMISSION_PORT", "http")
    with pytest.raises(Ended, match="SYMPOZIUM_ADMISSION_PORT: 'http' is no port"):
        Settings.from_environment()
