"""What an object weighs, and what is kept of a large one."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from hypothesis import given, strategies as st

from sympozium_controller.documents import read_object
from sympozium_controller.errors import InvalidObject, Origin, Refused
from sympozium_controller.lifecycle import trim
from sympozium_controller.lifecycle.trim import FEW, LIGHT, brief_of, is_too_heavy, packed, spec_of
from sympozium_controller.operator.reading import read
from sympozium_controller.policies import FLOOR_LABEL
from sympozium_controller.weight import HEAVIEST, TOO_HEAVY, weight

MANY = [{}] * (HEAVIEST // 100)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=30,
)


def pack(spec: Any, **metadata: Any) -> dict[str, Any]:
    named = {"name": "p", "namespace": "team", "uid": "u", "resourceVersion": "1", **metadata}
    return {"apiVersion": "sympozium.ai/v1alpha1", "kind": "SkillPack", "metadata": named, "spec": spec}


def size(value: Any) -> int:
    found = sys.getsizeof(value)
    if isinstance(value, dict):
        return found + sum(size(name) + size(one) for name, one in value.items())
    return found + sum(map(size, value)) if isinstance(value, list) else found


@given(VALUES)
def test_a_value_weighs_about_what_it_takes(value: Any) -> None:
    assert size(json.loads(json.dumps(value))) <= 4 * weight(value)


@given(VALUES, st.integers(0, 2000))
def test_what_weighs_more_than_is_asked_about_is_found_to(value: Any, most: int) -> None:
    assert (weight(value, most) > most) == (weight(value) > most)


@given(st.dictionaries(st.text(), VALUES))
def test_a_large_spec_is_read_as_it_was_written(spec: dict[str, Any]) -> None:
    large = {**spec, "instructions": "x" * LIGHT}
    kept = packed(pack(large))
    assert spec_of(kept) == large
    assert size(kept) < LIGHT
    assert kept["spec"] != large


def test_a_small_spec_is_kept_as_it_is() -> None:
    assert packed(pack({"instructions": "x"}))["spec"] == {"instructions": "x"}
    assert packed(pack("not even an object"))["spec"] == "not even an object"


def test_of_one_that_is_too_large_nothing_is_kept_but_what_it_is_called() -> None:
    kept = packed(pack({"params": {"x": MANY}}))
    assert (is_too_heavy(kept), spec_of(kept)) == (True, None)
    assert size(kept["metadata"]) < LIGHT
    with pytest.raises(InvalidObject) as refused:
        read_object(pack({"params": {"x": MANY}}), Origin("SkillPack/p"))
    with pytest.raises(Refused) as again:
        read(kept)
    assert str(refused.value) == str(again.value) == f"SkillPack/p: {TOO_HEAVY}"


def test_who_wrote_which_field_is_not_weighed() -> None:
    fields = [{"manager": "kubectl", "fieldsV1": {str(number): {} for number in range(HEAVIEST // 100)}}]
    assert read_object(pack({"instructions": "x"}, managedFields=fields), Origin("SkillPack/p")).name == "p"


def test_what_of_an_instance_is_looked_at_again_and_again_is_not_unpacked_for_it() -> None:
    spec = {"systemPrompt": "x" * LIGHT, "maxConcurrentRuns": 3, "memory": {"enabled": True, "seeds": ["x"]}}
    assert brief_of(packed(pack(spec))) == {"maxConcurrentRuns": 3, "memory": {"enabled": True}}
    assert brief_of(pack("not even an object")) == {}


def test_of_thousands_of_labels_and_owners_a_few_are_kept_and_a_floor_is_still_one() -> None:
    labels = {f"sympozium.ai/a{number}": "" for number in range(9000)} | {FLOOR_LABEL: "true"}
    owners = [{"name": str(number)} for number in range(9000)]
    for kept in (packed(pack({}, labels=labels, ownerReferences=owners)), trim.job(pack({}, labels=labels))):
        assert len(kept["metadata"]["labels"]) == FEW
        assert kept["metadata"]["labels"][FLOOR_LABEL] == "true"
        assert len(kept["metadata"].get("ownerReferences", ())) <= FEW


def test_an_object_whose_annotations_are_too_large_is_as_good_as_too_large() -> None:
    kept = packed(pack({}, annotations={"sympozium.ai/a": "x" * 100_000}))
    assert is_too_heavy(kept)
    assert kept["metadata"]["annotations"] == {}


def test_of_an_event_as_much_is_kept_as_the_cluster_itself_says() -> None:
    told = pack({}) | {"involvedObject": {"uid": "u"}, "message": "x" * 1_400_000}
    assert len(trim.event(told)["message"]) == trim.LONGEST
