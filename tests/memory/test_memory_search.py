"""Finding: sentences, word forms, identifiers, scripts, and anything at all as a query."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from sympozium_memory.query import terms_of
from sympozium_memory.search import COUNT_TO
from sympozium_memory.store import Memory

FACTS = (
    "payments-api-7d9f8b6c5-x2x9z was OOMKilled on 2026-11-17: heap grew past 512Mi after the batch import",
    "kube_pod_info is missing on cluster eu-2 because kube-state-metrics is not scraped there",
    "ORA-00600 [kdsgrp1] on the billing database: a corrupt index, rebuilt by the DBA team",
    "The deploy job writes its log to /var/log/deploy/rollout.log on the bastion",
    "getUserById times out when the ReadReplica lags",
    "E4012 from the ledger means that the currency table is stale",
    "Die Café-Kasse in Zürich prüft Zertifikate selbst",
    "支付服务在部署之后崩溃，原因是内存不足",
    "ระบบชำระเงินล่มหลังจากอัปเดต",
    "決済サービスのデータベース接続がタイムアウトしました",
    "Certificates of *.shop.example are renewed by cert-manager every 60 days",
    "orders-db fails over to zone b; the old primary must be rebuilt by hand",
    "Alert HighLatencyCheckout is noise during the nightly reindexing",
)

QUESTIONS = {
    "why did payments-api crash last tuesday": 0,
    "payments api crashing": 0,
    "PaymentsApi": 0,
    "payments-api-7d9f8b6c5-x2x9z": 0,
    "what happened to payments_api?": 0,
    "kube_pod_info": 1,
    "is kube pod info missing somewhere": 1,
    "ORA-00600": 2,
    "ora 00600": 2,
    "ORA00600": 2,
    "corrupted indexes": 2,
    "/var/log/deploy/rollout.log": 3,
    "where does the deployment log": 3,
    "rollout.log": 3,
    "getuserbyid": 4,
    "get user by id timing out": 4,
    "read replica lagging": 4,
    "E4012": 5,
    "cafe zurich": 6,
    "CAFÉ ZÜRICH": 6,
    "支付服务崩溃": 7,
    "内存": 7,
    "ชำระเงิน": 8,
    "データベース": 9,
    "ﾃﾞｰﾀﾍﾞｰｽ": 9,
    "when do our certs expire": 10,
    "cert manager renewal": 10,
    "failover of orders-db": 11,
    "rebuild": 11,
    "high latency checkout": 12,
    "HighLatencyCh": 12,
    "reindex": 12,
}


@pytest.fixture
def sre(memory: Memory) -> Memory:
    for number, fact in enumerate(FACTS):
        memory.store(fact, tags=[f"area-{number}"])
    return memory


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_finds_the_entry_that_answers_it_first(sre: Memory, question: str) -> None:
    found = sre.search(question)
    assert found, "nothing"
    assert found[0].content == FACTS[QUESTIONS[question]]


def test_an_entry_is_found_by_its_tags_as_words(sre: Memory) -> None:
    assert sre.search("area-3", 1)[0].content == FACTS[3]


def test_only_entries_with_all_of_the_tags_are_found_if_any_are_given(sre: Memory) -> None:
    sre.store("payments-api is owned by team blue", tags=["owner", "payments"])
    assert [entry.tags for entry in sre.search("payments-api", tags=["owner"])] == [("owner", "payments")]
    assert sre.search("payments-api", tags=["owner", "area-0"]) == []
    assert [entry.tags for entry in sre.search("", tags=["area-5"])] == [("area-5",)]


def test_on_equal_footing_the_newer_is_first(memory: Memory) -> None:
    for number in range(5):
        memory.store(f"the gateway answered 503 on day {number}")
    assert [entry.content[-1] for entry in memory.search("gateway 503")] == list("43210")


def test_more_of_the_questions_words_come_before_a_newer_entry_with_fewer(memory: Memory) -> None:
    memory.store("redis eviction made sessions vanish")
    memory.store("redis was upgraded")
    memory.store("sessions last an hour")
    assert memory.search("redis sessions eviction")[0].content == "redis eviction made sessions vanish"


def test_a_rare_word_counts_for_more_than_a_common_one(memory: Memory) -> None:
    memory.store("zookeeper lost its quorum")
    for number in range(30):
        memory.store(f"cluster {number} was upgraded")
    assert memory.search("zookeeper cluster")[0].content == "zookeeper lost its quorum"


def test_words_that_most_entries_hold_are_left_out_and_one_alone_still_finds(memory: Memory) -> None:
    for number in range(60):
        memory.store(f"incident {number} in the cluster")
    memory.store("incident about vault in the cluster")
    assert [entry.content for entry in memory.search("incident cluster vault")] == [
        "incident about vault in the cluster"
    ]
    assert len(memory.search("incident")) == 5


def test_more_entries_than_are_ever_ranked_still_give_the_one_with_all_words(memory: Memory) -> None:
    memory.store("alpha beta gamma")
    pairs = ("alpha beta", "beta gamma", "alpha gamma")
    facts = [f"{pairs[number % 3]} number{number}" for number in range(3 * COUNT_TO)]
    for future in [memory.submit(fact) for fact in facts]:
        future.result()
    assert memory.search("gamma beta alpha", 1)[0].content == "alpha beta gamma"
    assert len(memory.search("alpha", 20)) == 20


def test_the_answer_has_at_most_as_many_entries_as_asked_for(sre: Memory) -> None:
    assert len(sre.search("payments orders kube certificates", 2)) == 2
    assert sre.search("payments", 0) == []


def test_scores_fall_and_lie_above_nothing(sre: Memory) -> None:
    scores = [entry.score for entry in sre.search("payments-api database certificates log")]
    assert scores == sorted(scores, reverse=True)
    assert all(score > 0 for score in scores)


@pytest.mark.parametrize(
    "query",
    ["", " ", '"', "'", "*", "a*", "NEAR(", "NEAR(a b, 3)", "a AND", "OR", "NOT x", "(", ")", "-", "^a", "a:b",
     "words:x", "{a b}:c", "\0", "a\0b", "\ud800", "%", "_", ";--", "🔥", "\ue000", "é\u0301", "\u202e",
     "x" * 100_000, "x " * 100_000],
    ids=lambda query: repr(query[:12]),
)  # fmt: skip
def test_no_query_is_a_syntax_error(sre: Memory, query: str) -> None:
    assert isinstance(sre.search(query), list)


SYNTAX = st.sampled_from(
    ['"', "*", "AND ", "OR ", "NOT ", "NEAR(", "(", ")", "^", ":", "+", "-", "{", "}", "payments", "\0"]
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.text(), st.lists(SYNTAX | st.text(max_size=3)).map("".join)))
def test_no_query_whatsoever_is_a_syntax_error(sre: Memory, query: str) -> None:
    assert isinstance(sre.search(query), list)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=60).filter(str.strip))
def test_whatever_was_stored_is_found_by_its_own_text(memory: Memory, content: str) -> None:
    stored = memory.store(content, trust="person")
    found = [entry.id for entry in memory.search(content, 50)]
    assert stored.id in found or not terms_of(content)
    memory.revoke(ids=[stored.id])


def test_a_search_sees_what_was_stored_before_it(memory: Memory) -> None:
    for number in range(50):
        memory.store(f"unique{number}")
        assert memory.search(f"unique{number}")[0].content == f"unique{number}"


def test_a_search_goes_on_while_another_program_writes(sre: Memory) -> None:
    """A reader waits for no writer: not even for one that stopped in the middle."""
    import sqlite3

    other = sqlite3.connect(sre.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("DELETE FROM tagged")
    before = time.monotonic()
    assert sre.search("payments-api")
    assert time.monotonic() - before < 5
    other.execute("ROLLBACK")
    other.close()


def test_the_order_of_words_in_storage_does_not_depend_on_chance(memory: Memory) -> None:
    facts = [f"service{number % 7} failed in zone{number % 3} at step {number}" for number in range(40)]
    random.Random(3).shuffle(facts)
    for fact in facts:
        memory.store(fact)
    assert memory.search("service3 zone1 failed", 10) == memory.search("service3 zone1 failed", 10)
