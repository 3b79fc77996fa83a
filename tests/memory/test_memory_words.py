"""From text to words: what is indexed, and what is asked for."""

from __future__ import annotations

import sqlite3

import pytest

from sympozium_memory.query import Term, Way, terms_of
from sympozium_memory.related import others, stems, stopwords
from sympozium_memory.words import BOUNDARY, indexed, parts

INDEXED = {
    "payments-api-7d9f": "payments api 7d9f",
    "kube_pod_info": "kube pod info",
    "OOMKilled": f"oomkilled {BOUNDARY} oom killed",
    "getUserById HTTPServer": f"getuserbyid httpserver {BOUNDARY} get user by id {BOUNDARY} http server",
    "node12 k8s": f"node12 k8s {BOUNDARY} node 12",
    "ORA-00600: /var/log/x.log": "ora 00600 var log x log",
    "Crème BRÛLÉE": "creme brulee",
    "Straße ﬁx": "strasse fix",
    "支付服务 after": "支付 付服 服务 after",
    "中": "中",
    "ﾃﾞｰﾀ": "デー ータ",
    "नमस्ते दुनिया": "नमस्ते दुनिया",
    "й": "и",
    "¯\\_(ツ)_/¯ ok": "ツ ok",
    "🔥 -- ---": "",
}


@pytest.mark.parametrize("text", INDEXED)
def test_text_is_indexed_by_its_words_their_parts_and_pairs_of_characters(text: str) -> None:
    assert indexed(text, ()) == INDEXED[text]


def test_tags_are_indexed_apart_so_that_no_phrase_spans_them() -> None:
    assert indexed("one", ("two-three", "four")) == f"one {BOUNDARY} two three {BOUNDARY} four"


@pytest.mark.parametrize("word", ["plain", "ALLCAPS", "Capital", "12345", "k8s", "7d9f"])
def test_a_plain_word_has_no_parts(word: str) -> None:
    assert parts(word) == []


def test_a_very_long_word_is_found_by_its_beginning() -> None:
    assert indexed("x" * 1000, ()) == "x" * 64


def asked(question: str) -> list[str]:
    return [" ".join(term.words) for term in terms_of(question)]


def test_words_that_say_nothing_are_left_out_beside_others() -> None:
    assert asked("why did the gateway crash") == ["gateway", "crash"]
    assert asked("what is it") == ["what", "is", "it"]


def test_a_word_that_is_put_together_is_asked_for_whole_and_in_parts() -> None:
    whole, *rest = terms_of("payments-api")
    assert whole.words == ("payments", "api")
    assert [(term.words, term.whole) for term in rest] == [
        (("payments",), ("payments", "api")),
        (("api",), ("payments", "api")),
    ]
    assert [way.match for way in terms_of("OOMKilled")[0].ways[:2]] == ['"oomkilled"', '"oom killed"']


def test_each_thing_is_asked_for_once_whatever_its_form() -> None:
    assert asked("crash crashed CRASHING") == ["crash"]


def test_an_abbreviation_and_what_it_stands_for_find_each_other() -> None:
    assert Way(("kubernetes",), 0.9) in terms_of("k8s")[0].ways
    assert Way(("k8s",), 0.9) in terms_of("Kubernetes")[0].ways
    assert any(way.words == ("oomkilled",) for term in terms_of("it ran out of memory") for way in term.ways)


def test_a_related_word_weighs_less_and_only_in_the_direction_of_its_rule() -> None:
    assert others()[stems(("crash",))][("oomkilled",)] < 0.5
    assert ("crash",) not in others().get(stems(("oomkilled",)), {})


def test_the_files_of_words_hold_no_rule_twice_and_nothing_empty() -> None:
    assert "why" in stopwords()
    for word, answers in others().items():
        assert word
        assert all(other and 0 < weight < 1 for other, weight in answers.items()), word


def test_a_beginning_is_not_looked_for_when_it_is_too_short() -> None:
    assert list(Term((Way(("ab",)),)).begun()) == []


def test_a_beginning_that_reaches_into_an_ending_is_cut_back_to_the_stem() -> None:
    (term,) = terms_of("idempoten")
    assert [begun.words for begun in term.begun()] == [("idempoten",), ("idempote",), ("idempot",), ("idempo",)]
    (begun,) = Term((Way(("abc",)),)).begun()
    assert begun.match == '"abc" *'


FORMS = """
crash crashes crashed crashing | restart restarts restarted restarting | fail fails failed failing | retry retries
retried retrying | stop stops stopped stopping | scale scales scaled scaling | query queries queried querying |
policy policies | replica replicas | replicate replicates replicated replicating | index indexes indexed indexing |
deploy deploys deployed deploying | rotate rotates rotated rotating | expire expires expired expiring | throttle
throttles throttled throttling | connect connects connected connecting | evict evicts evicted evicting | process
processes processed processing | cache caches cached caching | service services | limit limits limited limiting
"""


@pytest.mark.parametrize("forms", [forms.split() for forms in FORMS.split("|")], ids=lambda forms: forms[0])
def test_the_forms_of_a_word_are_one_to_the_index_and_to_us(forms: list[str]) -> None:
    db = sqlite3.connect(":memory:")
    db.execute("CREATE VIRTUAL TABLE t USING fts5(w, tokenize = 'porter unicode61')")
    db.executemany("INSERT INTO t (w) VALUES (?)", [(form,) for form in forms])
    for form in forms:
        found = [row[0] for row in db.execute("SELECT w FROM t WHERE t MATCH ?", (form,))]
        assert found == forms
        assert stems((form,)) == stems((forms[0],))
