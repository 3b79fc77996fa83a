"""A run whose places are volumes beside each other reads as one /ipc."""

from __future__ import annotations

from pathlib import Path

import pytest

from sympozium_protocol import layout
from sympozium_protocol.files import BadFile
from sympozium_protocol.volumes import Volumes, open_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    for place in (("run",), ("agent",), ("agent", "calls", "a"), ("a",), ("a", "blobs")):
        (tmp_path / layout.volume(place)).mkdir()
    (tmp_path / "ipc.agent" / "calls" / "a").mkdir(parents=True)  # where the inner volume is mounted
    return tmp_path


def test_a_place_is_the_innermost_volume_that_holds_it(run: Path) -> None:
    with open_run(run) as ipc:
        assert isinstance(ipc, Volumes)
        with ipc.open(("agent", "calls", "a")) as calls:
            calls.write("1-1.json", b"x")
            assert calls.at("1-1.json") == "agent/calls/a/1-1.json"
        ipc.make(("a", "tools")).close()
    assert (run / "ipc.agent.calls.a" / "1-1.json").exists()
    assert (run / "ipc.a" / "tools").is_dir()
    assert not list((run / "ipc.agent" / "calls" / "a").iterdir())


def test_a_place_that_no_volume_holds_is_named_as_it_would_be(run: Path) -> None:
    with open_run(run) as ipc, pytest.raises(BadFile):
        ipc.open(("b", "tools"))


def test_one_tree_is_opened_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with open_run(tmp_path) as ipc:
        assert not isinstance(ipc, Volumes)
        ipc.open(("run",)).close()


def test_no_two_places_of_a_run_share_a_volume() -> None:
    """A participant's name has no dot in it, so it cannot imitate another's place."""
    places = layout.places(("agent-calls", "calls", "blobs", "a"))
    assert len({layout.volume(place) for place in places}) == len(places)
