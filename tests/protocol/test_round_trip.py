"""What is written is read back the same, and reading never does anything but succeed or say InvalidDocument."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from sympozium_protocol.messages import (
    Answer,
    AskedTool,
    AssistantMessage,
    BlobPart,
    Call,
    Completion,
    InvalidDocument,
    Manifest,
    Question,
    Reply,
    Started,
    TextPart,
    Tool,
    ToolCall,
    ToolMessage,
    Usage,
    UserMessage,
    Verdict,
    decode_console,
    decode_message,
)
from sympozium_protocol.schemas import MODELS

text = st.text(st.characters(codec="utf-8"), max_size=30)
ids = st.from_regex(r"[a-z0-9][a-z0-9-]{0,10}", fullmatch=True)
tools = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,10}", fullmatch=True)
digests = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
times = st.just("2026-11-20T09:30:00.125Z")
counts = st.integers(0, 10**12)
money = st.floats(0, 1e6, allow_nan=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64) | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(text, json_values, max_size=4)
outcomes = st.sampled_from(["ok", "error", "denied", "timeout", "interrupted", "unavailable", "cancelled"])
parts = st.builds(TextPart, text=text) | st.builds(BlobPart, digest=digests, size=counts, media_type=text, note=text)
contents = st.lists(parts, max_size=3).map(tuple)
usage = st.builds(Usage, input_tokens=counts, output_tokens=counts, usd=money)
asked = st.builds(AskedTool, name=text, arguments=st.none() | objects, malformed=st.none() | text)
completions = st.builds(
    Completion,
    text=text,
    tool_calls=st.lists(asked, max_size=2).map(tuple),
    usage=usage,
    blocks=st.lists(objects, max_size=2).map(tuple),
)
documents = st.one_of(
    st.builds(Call, id=ids, participant=ids, tool=tools, arguments=objects, timeout=st.none() | st.floats(0.001, 1e6)),
    st.builds(
        Verdict,
        id=ids,
        participant=ids,
        decision=st.sampled_from(["allow", "deny"]),
        digest=digests,
        by=text,
        reason=text,
        time=times,
    ),
    st.builds(
        Question,
        id=ids,
        participant=ids,
        tool=tools,
        arguments=objects,
        digest=digests,
        reason=text,
        time=times,
        effect=st.sampled_from(["read", "idempotent", "write"]),
        expires=times,
    ),
    st.builds(Started, id=ids, digest=digests, process_group=st.none() | st.integers(2, 2**22)),
    st.builds(
        Reply,
        id=ids,
        digest=digests,
        outcome=outcomes,
        content=contents,
        details=objects,
        completion=st.none() | completions,
    ),
    st.builds(
        Manifest,
        participant=ids,
        tools=st.lists(st.builds(Tool, name=tools, description=text, parameters=objects), max_size=2).map(tuple),
    ),
    st.builds(
        Answer, participant=ids, id=ids, digest=digests, decision=st.just("deny"), reason=text, by=text, time=times
    ),
)
turns = st.lists(st.builds(ToolCall, id=ids, name=text, arguments=st.none() | objects), max_size=2).map(tuple)
entries = st.one_of(
    st.builds(UserMessage, seq=st.integers(1, 999), time=times, text=text),
    st.builds(
        AssistantMessage,
        seq=st.integers(1, 999),
        time=times,
        call=ids,
        text=text,
        usage=usage,
        tool_calls=st.lists(st.builds(ToolCall, id=ids, name=text, arguments=st.none() | objects), max_size=2).map(
            tuple
        ),
    ),
    st.builds(
        ToolMessage,
        seq=st.integers(1, 999),
        time=times,
        call=ids,
        tool=text,
        outcome=outcomes,
        content=contents,
        details=objects,
    ),
)


@settings(max_examples=200, deadline=None)
@given(documents)
def test_a_document_is_read_back_as_it_was_written(document: Any) -> None:
    data = document.encode()
    assert type(document).decode(data) == document
    assert data.endswith(b"}\n")
    assert data.count(b"\n") == 1


@settings(max_examples=100, deadline=None)
@given(entries)
def test_a_message_is_read_back_as_it_was_written(message: Any) -> None:
    assert decode_message(message.encode()) == message


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60) | json_values.map(lambda value: json.dumps(value).encode()), st.integers(0, 100))
def test_any_bytes_are_a_document_or_refused_with_a_reason(data: bytes, which: int) -> None:
    models = [model for model in MODELS if hasattr(model, "decode")]
    for decode in (models[which % len(models)].decode, decode_message, decode_console):
        with pytest.raises(InvalidDocument):
            decode(data)


@settings(max_examples=100, deadline=None)
@given(documents, st.data())
def test_a_truncated_document_is_refused(document: Any, data: st.DataObject) -> None:
    whole = document.encode()
    cut = data.draw(st.integers(0, len(whole) - 3))
    with pytest.raises(InvalidDocument):
        type(document).decode(whole[:cut])


@settings(max_examples=100, deadline=None)
@given(documents, text.filter(lambda name: name not in ("kind", "protocol")), json_values)
def test_an_unknown_field_changes_nothing(document: Any, name: str, value: Any) -> None:
    fields = json.loads(document.encode())
    if name not in fields:
        extra = f"x-{name}"
        assert type(document).decode(json.dumps({**fields, extra: value}).encode()) == document


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_a_number_that_is_not_finite_is_refused_at_any_depth(number: str) -> None:
    data = f'{{"kind":"Call","id":"1-1","participant":"p","tool":"t","arguments":{{"a":[{{"b":{number}}}]}}}}'
    with pytest.raises(InvalidDocument, match="not finite"):
        Call.decode(data.encode())


@pytest.mark.parametrize("inner", ['"a":1,"a":1', '"b":{"c":1,"c":2}', '"b":[{"c":1,"\\u0063":2}]'])
def test_a_call_with_a_name_twice_is_refused(inner: str) -> None:
    data = f'{{"kind":"Call","id":"1-1","participant":"p","tool":"t","arguments":{{{inner}}}}}'
    with pytest.raises(InvalidDocument, match="twice"):
        Call.decode(data.encode())
