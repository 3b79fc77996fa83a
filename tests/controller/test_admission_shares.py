"""One author's questions and requests, however many, leave room for everybody else's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import pytest

from sympozium_controller.admission.asking import AT_ONCE, NAMED, OF_ONE, Asking
from sympozium_controller.admission.reviews import Answer, Request
from sympozium_controller.admission.rights import Right, Wanted
from sympozium_controller.admission.server import OF_ONE as REQUESTS_OF_ONE, answered
from sympozium_controller.admission.shares import Shares, who
from sympozium_protocol.kube.api import KubeObject
from sympozium_protocol.kube.resources import Resource

MALLORY: dict[str, Any] = {"username": "mallory", "groups": ["team"]}
ALICE: dict[str, Any] = {"username": "alice", "groups": ["other"]}


class Server:
    """An API server that holds each question back until it is let, and says who holds what."""

    def __init__(self, allows: Callable[[Mapping[str, str]], bool] = lambda _: True, *, holds: bool = False) -> None:
        self.allows = allows
        self.asked: list[tuple[str, str]] = []
        self.under_way: list[str] = []
        self.most = 0
        self.let = asyncio.Event()
        if not holds:
            self.let.set()

    async def create(self, resource: Resource, body: KubeObject) -> KubeObject:
        user, what = body["spec"]["user"], body["spec"]["resourceAttributes"]
        self.asked.append((user, f"{what['verb']} {what['resource']}"))
        self.under_way.append(user)
        self.most = max(self.most, len(self.under_way))
        try:
            await self.let.wait()
        finally:
            self.under_way.remove(user)
        return {"status": {"allowed": self.allows(what)}}


def asking(server: Server) -> Asking:
    return Asking(server)  # type: ignore[arg-type]


def rights(count: int, *places: str) -> tuple[Wanted, ...]:
    return tuple(
        Wanted(Right(place, "", "pods", f"v{number}"), f"spec.sidecar.rbac.{number}")
        for place in places or ("team",)
        for number in range(count)
    )


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 60))


async def settled() -> None:
    """Whatever can go on has."""
    for _ in range(50):
        await asyncio.sleep(0)


def test_a_second_users_question_is_asked_while_hundreds_of_the_first_wait() -> None:
    async def test() -> None:
        server = Server(holds=True)
        one = asking(server)
        crowd = [asyncio.create_task(one.lacking(rights(510), MALLORY)) for _ in range(16)]
        await settled()
        assert server.under_way == ["mallory"] * OF_ONE
        other = asyncio.create_task(one.lacking(rights(1), ALICE))
        await settled()
        assert server.under_way == ["mallory"] * OF_ONE + ["alice"]
        server.let.set()
        assert await other == ()
        await asyncio.gather(*crowd)
        assert server.most <= OF_ONE + 1

    run(test)


def test_many_authors_fill_the_whole_and_who_comes_waits_for_no_more_than_a_share_of_each() -> None:
    async def test() -> None:
        server = Server(holds=True)
        one = asking(server)
        users = [{"username": f"mallory-{number}"} for number in range(8)]
        crowd = [asyncio.create_task(one.lacking(rights(100), user)) for user in users for _ in range(4)]
        await settled()
        assert len(server.under_way) == AT_ONCE
        other = asyncio.create_task(one.lacking(rights(1), ALICE))
        await settled()
        server.let.set()
        await other
        before = [user for user, _ in server.asked].index("alice")
        assert before <= len(users) * OF_ONE
        for task in crowd:
            task.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)

    run(test)


def test_the_accounts_of_a_namespace_have_one_share() -> None:
    assert who({"username": "system:serviceaccount:team:a"}) == who({"username": "system:serviceaccount:team:b"})
    assert who({"username": "system:serviceaccount:team:a"}) != who({"username": "system:serviceaccount:other:a"})
    assert who({"username": "alice:x"}) != who({"username": "alice:y"})


def test_a_refusal_asks_for_no_more_than_it_names() -> None:
    async def test() -> None:
        server = Server(lambda _: False)
        wanted = rights(4, *(f"n{number}" for number in range(128)))
        lacked = await asking(server).lacking(wanted, MALLORY)
        assert lacked[: NAMED + 1] == wanted[: NAMED + 1]
        assert len(server.asked) <= 2 * OF_ONE + NAMED

    run(test)


def test_the_first_rights_that_are_lacking_are_the_ones_that_are_told() -> None:
    async def test() -> None:
        lacking = {"v7", "v19", "v20", "v401", "v402"}
        server = Server(lambda what: what["verb"] not in {"*", *lacking})
        lacked = await asking(server).lacking(rights(510), MALLORY)
        assert [one.right.verb for one in lacked][:NAMED] == ["v7", "v19", "v20"]
        assert len(lacked) > NAMED

    run(test)


def test_who_holds_everything_in_a_namespace_is_asked_once_for_it() -> None:
    async def test() -> None:
        server = Server(lambda what: what["namespace"] == "team" or what["verb"] not in ("v0", "*"))
        lacked = await asking(server).lacking(rights(200, "team", "other"), ALICE)
        assert [one.right.told for one in lacked] == ["v0 pods in the namespace other"]
        assert [what for _, what in server.asked].count("* *") == 2
        assert len(server.asked) == 1 + 1 + 200

    run(test)


def test_no_user_takes_all_places_at_which_requests_are_judged() -> None:
    async def test() -> None:
        shares, begun, end = Shares(64, REQUESTS_OF_ONE), [], asyncio.Event()

        async def judge(request: Request) -> Answer:
            begun.append(request.username)
            await end.wait()
            return Answer()

        def ask(user: Mapping[str, Any]) -> asyncio.Task[Answer]:
            request = Request("u", "CREATE", "SkillPack", "team", "p", {}, {}, user)
            return asyncio.create_task(answered(request, judge, shares))

        crowd = [ask(MALLORY) for _ in range(200)]
        await settled()
        assert begun == ["mallory"] * REQUESTS_OF_ONE
        other = ask(ALICE)
        await settled()
        assert begun[-1] == "alice"
        end.set()
        assert {one.code for one in await asyncio.gather(other, *crowd)} == {0}

    run(test)


@pytest.mark.parametrize("ends", ["well", "badly", "before its turn"])
def test_a_share_is_given_back_however_it_ends(ends: str) -> None:
    async def test() -> None:
        shares, go = Shares(1, 1), asyncio.Event()

        async def use() -> None:
            async with shares.slot("mallory"):
                await go.wait()
                if ends == "badly":
                    raise ValueError

        first, second = asyncio.create_task(use()), asyncio.create_task(use())
        await settled()
        if ends == "before its turn":
            second.cancel()
        go.set()
        await asyncio.gather(first, second, return_exceptions=True)
        async with shares.slot("alice"):
            assert len(shares._shares) == 1

    run(test)
