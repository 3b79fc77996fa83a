"""A small participant without serve, which breaks one promise of the contract: the one that its argument names."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any

FAULT = sys.argv[1] if len(sys.argv) > 1 else "none"
NAME = os.environ["SYMPOZIUM_PARTICIPANT"]
IPC = Path(os.environ["SYMPOZIUM_IPC"])
OWN = IPC / NAME


def publish(path: Path, document: dict[str, Any]) -> None:
    text = json.dumps(document)
    if FAULT == "in-place" and path.parent.name == "replies":
        with path.open("w", buffering=1) as file:
            file.write(text[:20])
            file.flush()
            file.write(text[20:])
        return
    aside = path.with_name(("" if FAULT == "plain-aside" else ".") + path.name + ".tmp")
    aside.write_text(text)
    if FAULT == "plain-aside":
        time.sleep(0.05)  # as a writer would that is slow; the aside file can be seen meanwhile
    aside.rename(path)


def manifest() -> dict[str, Any]:
    tools = [] if FAULT == "no-tools" else [{"name": "wait", "parameters": {"type": "object"}}]
    found = {"kind": "Manifest", "protocol": "v1", "participant": NAME, "tools": tools}
    if FAULT == "bad-manifest":
        del found["protocol"]
    return found


def reply(call_id: str, digest: str, outcome: str) -> None:
    answer = {"kind": "Reply", "id": call_id, "digest": digest, "outcome": outcome, "content": []}
    if FAULT == "wrong-id":
        answer["id"] = "other"
    if FAULT == "wrong-digest":
        answer["digest"] = "0" * 64
    if FAULT == "unknown-outcome":
        answer["outcome"] = "done"
    publish(OWN / "replies" / f"{call_id}.json", answer)


def allowed(verdict: Path, data: bytes) -> bool:
    if FAULT == "no-verdict":
        return True
    found = json.loads(verdict.read_bytes())
    if FAULT != "any-decision" and found["decision"] != "allow":
        return False
    return FAULT == "any-digest" or found["digest"] == hashlib.sha256(data).hexdigest()


def act(call_id: str, data: bytes) -> None:
    digest = hashlib.sha256(data).hexdigest()
    if FAULT != "no-started":
        publish(OWN / "started" / call_id, {"kind": "Started", "id": call_id, "digest": digest})
    if FAULT != "ignores-withdrawn" and (IPC / "agent" / "withdrawn" / NAME / call_id).exists():
        return reply(call_id, digest, "cancelled")
    call = json.loads(data)
    if call["tool"] != "wait":
        assert FAULT != "dies-of-unknown-tool"
        return reply(call_id, digest, "ok" if FAULT == "any-tool" else "error")
    time.sleep(call.get("arguments", {}).get("seconds", 0))
    reply(call_id, digest, "ok")


def look() -> None:
    folder = ("agent", "calls") if FAULT == "no-verdict" else ("bridge", "verdicts")
    for verdict in sorted(IPC.joinpath(*folder, NAME).iterdir()):
        name = verdict.name.lstrip(".") if FAULT == "dot-names" else verdict.name
        call_id = name.split(".")[0]
        good = re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}\.json", name) is not None
        if not (good or (call_id and FAULT == "any-name")) or (OWN / "replies" / f"{call_id}.json").exists():
            continue
        try:
            data = (IPC / "agent" / "calls" / NAME / f"{call_id}.json").read_bytes()
            if allowed(verdict, data):
                act(call_id, data)
        except (ValueError, TypeError, KeyError, OSError, AttributeError):
            if FAULT == "dies-of-malformed":
                raise


def main() -> None:
    if FAULT == "ignores-sigterm":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    number = len(list((OWN / "tools").iterdir())) + 1
    if FAULT == "one-manifest":
        number = 1
    publish(OWN / "tools" / f"{number}.json", manifest())
    while True:
        if FAULT != "no-alive":
            (OWN / "alive").touch()
        look()
        time.sleep(0.005)


main()
