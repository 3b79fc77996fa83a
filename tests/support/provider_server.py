"""A server on this machine that speaks the providers' protocols, and misbehaves as it is told.

The fake at the seam of an outside world: real sockets and real HTTP, so that the real SDKs are tested.
``answers`` is a list of what to do, one item a request; the last one is repeated.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class ProviderServer:
    """Requests as they came, and the answers still to give."""

    def __init__(self, answers: list[dict[str, Any]], host: str) -> None:
        self.answers = answers
        self.requests: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                answer = server.take(body, dict(self.headers))
                Speaker(self, answer).speak("anthropic" if self.path.endswith("/messages") else "openai")

            def log_message(self, *_: object) -> None:
                """Tests read ``requests``."""

        self._http = ThreadingHTTPServer((host, 0), Handler)
        self._http.daemon_threads = True
        self.port: int = self._http.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def take(self, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
        with self._lock:
            self.bodies.append(body)
            self.requests.append(json.loads(body))
            self.headers.append({name.lower(): value for name, value in headers.items()})
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def start(self) -> None:
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@contextmanager
def provider_server(*answers: dict[str, Any], host: str = "127.0.0.1") -> Iterator[ProviderServer]:
    """Serve these: ``{"text"|"calls"|"thinking": …}``, ``{"status": 429, "headers": {}, "error": {}}``,
    ``{"cut": True}`` (the stream ends early; ``"short"``: and before the length it promised),
    ``{"garbage": True}``, ``{"empty": True}``."""
    server = ProviderServer(list(answers), host)
    server.start()
    try:
        yield server
    finally:
        server.stop()


class Speaker:
    """Writes one answer."""

    def __init__(self, request: BaseHTTPRequestHandler, answer: dict[str, Any]) -> None:
        self.request = request
        self.answer = answer

    def speak(self, protocol: str) -> None:
        if "status" in self.answer:
            body = json.dumps({"error": self.answer.get("error", {"message": "no"}), "type": "error"}).encode()
            self._head(self.answer["status"], "application/json", len(body))
            self.request.wfile.write(body)
            return
        self._head(200, "text/event-stream", None)
        if self.answer.get("garbage"):
            self._write(b"data: {not json at all\n\n")
        else:
            events = openai_events(self.answer) if protocol == "openai" else anthropic_events(self.answer)
            for event in events[: len(events) // 2] if self.answer.get("cut") else events:
                self._write(event)
        self.request.close_connection = True

    def _head(self, status: int, kind: str, size: int | None) -> None:
        self.request.send_response(status)
        self.request.send_header("Content-Type", kind)
        for name, value in self.answer.get("headers", {}).items():
            self.request.send_header(name, value)
        if size is None and self.answer.get("cut") == "short":
            self.request.send_header("Content-Length", "1000000")
        elif size is None:
            self.request.send_header("Connection", "close")
        else:
            self.request.send_header("Content-Length", str(size))
        self.request.end_headers()

    def _write(self, data: bytes) -> None:
        self.request.wfile.write(data)
        self.request.wfile.flush()


def openai_events(answer: dict[str, Any]) -> list[bytes]:
    """A chat completion as server-sent events."""
    deltas: list[dict[str, Any]] = [
        {"role": "assistant", "content": word} for word in answer.get("text", "").split("|")
    ]
    for index, (name, arguments) in enumerate(answer.get("calls", ())):
        half = len(arguments) // 2
        first = {
            "index": index,
            "id": f"x{index}",
            "type": "function",
            "function": {"name": name, "arguments": arguments[:half]},
        }
        deltas += [
            {"tool_calls": [first]},
            {"tool_calls": [{"index": index, "function": {"arguments": arguments[half:]}}]},
        ]
    finish = answer.get("finish") or ("tool_calls" if answer.get("calls") else "stop")
    chunks = [_chunk([{"index": 0, "delta": delta, "finish_reason": None}]) for delta in deltas]
    chunks.append(_chunk([{"index": 0, "delta": {}, "finish_reason": finish}]))
    if answer.get("usage", True):
        usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
        chunks.append({**_chunk([]), "usage": {**usage, "prompt_tokens_details": {"cached_tokens": 40}}})
    return [*(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks), b"data: [DONE]\n\n"]


def _chunk(choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}


def anthropic_events(answer: dict[str, Any]) -> list[bytes]:
    """A message as server-sent events."""
    usage = {"input_tokens": 60, "output_tokens": 1, "cache_read_input_tokens": 40, "cache_creation_input_tokens": 0}
    message = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": usage}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**message, "stop_reason": None, "stop_sequence": None}}
    ]
    blocks: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
    if answer.get("thinking"):
        deltas = [
            {"type": "thinking_delta", "thinking": answer["thinking"]},
            {"type": "signature_delta", "signature": "signed"},
        ]
        blocks.append(({"type": "thinking", "thinking": "", "signature": ""}, deltas))
    if answer.get("text"):
        blocks.append(
            ({"type": "text", "text": ""}, [{"type": "text_delta", "text": t} for t in answer["text"].split("|")])
        )
    for index, (name, arguments) in enumerate(answer.get("calls", ())):
        start = {"type": "tool_use", "id": f"toolu_{index}", "name": name, "input": {}}
        blocks.append((start, [{"type": "input_json_delta", "partial_json": arguments}]))
    for index, (start, deltas) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": start})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    stop = answer.get("finish") or ("tool_use" if answer.get("calls") else "end_turn")
    events.append(
        {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": {"output_tokens": 20}}
    )
    events.append({"type": "message_stop"})
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]
