"""``sympozium run --replay``: the recorded run again, with its recording in the model's place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


def spec_of(directory: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((directory / "ipc/run/run.json").read_text())
    return found


@pytest.fixture
def recorded(installation):
    assert installation.run("--max-steps", "7").returncode == 0
    return installation.directory


def test_the_same_run_again_without_saying_anything(installation, recorded):
    again = installation.root / "again"
    done = installation("run", "--replay", str(recorded), "--dir", str(again))
    assert done.returncode == 0, done.stderr
    old, new = spec_of(recorded), spec_of(again)
    assert new["model"] == {**new["model"], "provider": "replay", "recording": str(recorded / "ipc")}
    assert new["run"] != old["run"]
    for name in ("input", "limits", "policies", "participants", "packs"):
        assert new[name] == old[name]


def test_with_documents_they_say_what_the_new_run_is(installation, recorded):
    again = installation.root / "again"
    documents = ("-f", str(installation.objects), "--max-steps", "3")
    done = installation("run", "do it", "--replay", str(recorded), *documents, "--dir", str(again))
    assert done.returncode == 0, done.stderr
    assert spec_of(again)["model"]["provider"] == "replay"
    assert spec_of(again)["limits"]["steps"] == 3


def test_without_documents_the_recorded_run_cannot_be_changed(installation, recorded):
    done = installation("run", "--replay", str(recorded), "--max-steps", "3", "--policy", "permissive")
    assert done.returncode == 10
    assert "--max-steps" in done.stderr
    assert "--policy" in done.stderr


def test_a_replay_needs_no_key(installation):
    assert installation.run("--provider", "openai", "--model", "m", OPENAI_API_KEY="k").returncode == 0
    done = installation("run", "--replay", str(installation.directory), "--dir", str(installation.root / "again"))
    assert done.returncode == 0, done.stderr
