"""The good fixtures are what models and schemas accept, the bad ones what both refuse."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from sympozium_protocol import schemas
from sympozium_protocol.messages import Document, InvalidDocument, Script, decode_message

ROOT = Path(__file__).parents[2] / "protocol"
FIXTURES = ROOT / "fixtures" / "v1"
KINDS = {kind.lower(): kind for kind in schemas.schemas()}
GOOD = sorted((FIXTURES / "good").iterdir())
BAD = sorted((FIXTURES / "bad").iterdir())


def kind_of(path: Path) -> str:
    return KINDS[path.name.partition("-")[0]]


def decoder(kind: str) -> Callable[[bytes], object]:
    if kind == "Message":
        return decode_message
    if kind == "Script":
        return lambda data: Script.model_validate_json(data, by_alias=True, by_name=False)
    model = next(model for model in schemas.MODELS if model.__name__ == kind)
    assert issubclass(model, Document)
    return model.decode


@cache
def validator(kind: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(json.loads((ROOT / "schemas" / "v1" / f"{kind}.json").read_bytes()))


def load_portable(data: bytes) -> Any:
    """JSON that every reader understands alike: UTF-8, no name twice, every number finite."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) != len(pairs):
            raise ValueError("a name stands twice")
        return dict(pairs)

    def finite(text: str) -> float:
        if not math.isfinite(number := float(text)):
            raise ValueError("not finite")
        return number

    return json.loads(data.decode(), object_pairs_hook=once, parse_constant=finite, parse_float=finite)


def schema_accepts(data: bytes, kind: str) -> bool:
    try:
        return validator(kind).is_valid(load_portable(data))
    except ValueError:
        return False


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_document_is_accepted_by_model_and_schema(path: Path) -> None:
    data = path.read_bytes()
    decoder(kind_of(path))(data)
    assert schema_accepts(data, kind_of(path))


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_document_is_refused_by_model_and_schema(path: Path) -> None:
    data = path.read_bytes()
    with pytest.raises((InvalidDocument, ValueError)):
        decoder(kind_of(path))(data)
    assert not schema_accepts(data, kind_of(path))


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_what_a_model_writes_back_fits_the_schema(path: Path) -> None:
    found = decoder(kind_of(path))(path.read_bytes())
    if isinstance(found, Document):
        again = found.encode()
        assert schema_accepts(again, kind_of(path))
        assert decoder(kind_of(path))(again) == found


def test_every_kind_has_two_good_and_three_bad_documents() -> None:
    good, bad = Counter(map(kind_of, GOOD)), Counter(map(kind_of, BAD))
    assert {kind for kind in KINDS.values() if good[kind] < 2 or bad[kind] < 3} == set()


def test_a_fault_names_the_field_and_does_not_repeat_the_input() -> None:
    with pytest.raises(InvalidDocument) as caught:
        decoder("Call")(b'{"kind":"Call","id":"4-1","participant":"p","tool":"t","timeout":"hunter2"}')
    assert "timeout" in str(caught.value)
    assert "hunter2" not in str(caught.value)
