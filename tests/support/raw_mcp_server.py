"""A small MCP server over stdio without the mcp package, which does one thing wrong: the one that its argument names.

``raw_mcp_server.py FAULT [MARKS]``: revision 2025-06-18, the tools ``echo`` and ``other``.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

FAULT = sys.argv[1]
MARKS = Path(sys.argv[2]) if len(sys.argv) > 2 else None
EMPTY = {"type": "object"}
ECHO = {"type": "object", "properties": {"text": {"type": "string"}}}


def say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def mark(name: str) -> int:
    """Note something; how often it was noted."""
    if MARKS is None:
        return 0
    with (MARKS / name).open("a") as file:
        file.write("x")
    return (MARKS / name).stat().st_size


def tools() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{"name": "echo", "inputSchema": ECHO}, {"name": "other", "inputSchema": EMPTY}]
    match FAULT:
        case "bad-schemas":
            found += [
                {"name": "wrong-type", "inputSchema": {"type": "object", "properties": {"a": {"type": "nonsense"}}}},
                {"name": "refers-out", "inputSchema": {"type": "object", "$ref": "http://127.0.0.1:9/schema"}},
            ]
        case "tasks-only":
            found[1]["execution"] = {"taskSupport": "required"}
        case "grows-with-each-life":
            found += [{"name": f"life{MARKS and (MARKS / 'lives').stat().st_size}", "inputSchema": EMPTY}]
        case "many-tools":
            found += [{"name": f"t{n}", "description": "x" * 2000, "inputSchema": EMPTY} for n in range(900)]
        case "odd-names":
            found += [{"name": name, "inputSchema": EMPTY} for name in ("a.b", "a/b", "ünï", "n" * 100, "echo")]
        case "output-schema":
            found[0]["outputSchema"] = {"type": "object", "properties": {"x": {"pattern": "(a+)+$"}}}
    return found


def list_tools(number: Any, params: dict[str, Any]) -> None:
    listed: dict[str, Any] = {"tools": tools()}
    page = int(params.get("cursor", 0))
    if FAULT == "endless-pages":
        listed = {"tools": [{"name": f"p{page}", "inputSchema": EMPTY}], "nextCursor": str(page + 1)}
    if FAULT == "same-cursor":
        listed["nextCursor"] = "0"
    if FAULT == "paged":
        both = tools()
        listed = {"tools": both[:1], "nextCursor": "1"} if page == 0 else {"tools": both[1:]}
    if FAULT == "list-fails-later" and mark("listed") > 1:
        say({"id": number, "error": {"code": -32603, "message": "no list today"}})
        return
    say({"id": number, "result": listed})


def call(number: Any, params: dict[str, Any]) -> None:
    mark("called")
    text = str(params.get("arguments", {}).get("text", ""))
    match FAULT:
        case "long-line":
            text = "y" * (20 << 20)
        case "repeats-ids":
            say({"id": number, "result": {"content": [{"type": "text", "text": text}]}})
            say({"id": "nobody's", "result": {"content": []}})
            say({"id": number - 1, "result": {"content": [{"type": "text", "text": "for a call that was answered"}]}})
        case "floods-notifications":
            for _ in range(20000):
                say({"method": "notifications/message", "params": {"level": "info", "data": "z" * 100}})
        case "floods-pings":
            for ping in range(20000):
                say({"id": f"p{ping}", "method": "ping"})
            time.sleep(3600)
        case "floods-questions":
            for question in range(500):
                say({"id": f"q{question}", "method": "sampling/createMessage", "params": {"messages": []}})
        case "floods-progress":
            token = params["_meta"]["progressToken"]
            for step in range(1000):
                say({"method": "notifications/progress", "params": {"progressToken": token, "progress": step}})
            time.sleep(3600)
        case "changes-for-ever":
            for _ in range(1000):
                say({"method": "notifications/tools/list_changed"})
        case "list-fails-later":
            say({"method": "notifications/tools/list_changed"})
        case "invalid-answer":
            say({"id": number, "result": {"content": "no list of blocks"}})
            return
        case "hangs-in-call":
            return
        case "deaf":
            time.sleep(3600)
    structured = {"structuredContent": {"x": "a" * 40 + "!"}} if FAULT == "output-schema" else {}
    say({"id": number, "result": {"content": [{"type": "text", "text": text}], **structured}})


def answer(message: dict[str, Any]) -> None:
    number, params = message.get("id"), message.get("params", {})
    if FAULT == "garbage":
        sys.stdout.write("Loading… 100%\n{not json}\n[1, 2]\n\n")
    match message.get("method"):
        case "initialize":
            found = {
                "protocolVersion": "2025-06-18",
                "capabilities": {"tools": {"listChanged": True}},
                "serverInfo": {"name": "raw", "version": "1"},
            }
            say({"id": number, "result": found})
        case "notifications/cancelled":
            mark("cancelled")
        case "tools/list":
            list_tools(number, params)
        case "tools/call":
            call(number, params)
        case _ if number is not None:
            if FAULT == "dies-of-the-unknown":
                os._exit(1)
            say({"id": number, "error": {"code": -32601, "message": "Method not found"}})


def begin() -> None:
    life = mark("lives")
    match FAULT:
        case "hangs":
            time.sleep(3600)
        case "dies":
            sys.stderr.write("cannot read the configuration\n")
            sys.exit(3)
        case "dies-twice" if life <= 2:
            sys.exit(3)
        case "slow-start":
            while MARKS and not (MARKS / "begin").exists():
                time.sleep(0.01)
        case "floods-garbage":
            while True:
                sys.stdout.write("garbage " * 1000 + "\n")
        case "floods-errors":
            os.fork() or flood_errors()
        case "endless-line":
            while True:
                sys.stdout.write("x" * 65536)
        case "ignores-the-end":
            import signal

            signal.signal(signal.SIGTERM, signal.SIG_IGN)


def flood_errors() -> None:
    while True:
        sys.stderr.write("something is wrong " * 20 + "\n")


begin()
for line in sys.stdin:
    answer(json.loads(line))
if FAULT == "ignores-the-end":
    time.sleep(3600)
