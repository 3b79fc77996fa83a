"""A forge on this machine: one bare repository over git's smart HTTP, and the few REST paths of pull requests.

It speaks what GitHub speaks where the pack github-gitops listens, asks for the token on every request, and
keeps what it was sent. By hand: ``python -m tests.support.forge DIRECTORY TOKEN [PORT]``.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

REPOSITORY = "acme/deploy"
PULLS = f"/repos/{REPOSITORY}/pulls"


class Forge:
    """The state of a forge: its repository, its pull requests and their comments, and every request."""

    def __init__(self, root: Path, token: str) -> None:
        self.root = root
        self.token = token
        self.url = ""
        self.pulls: list[dict[str, Any]] = []
        self.comments: list[dict[str, Any]] = []
        self.requests: list[str] = []

    @property
    def repository(self) -> Path:
        return self.root / f"{REPOSITORY}.git"

    def git(self, *words: str) -> str:
        """A question to the repository itself."""
        done = subprocess.run(["git", *words], cwd=self.repository, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def seed(self, files: dict[str, str]) -> None:
        """The repository with one commit on main that holds these files."""
        self.repository.mkdir(parents=True)
        self.git("init", "--quiet", "--bare", "--initial-branch=main")
        self.git("config", "http.receivepack", "true")
        tree = self.root / "seed"
        for name, text in files.items():
            path = tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        who = ("-c", "user.name=Ada", "-c", "user.email=ada@acme.example")
        self.git("--work-tree", str(tree), "add", "--all")
        self.git("--work-tree", str(tree), *who, "commit", "--quiet", "--message", "The services as they run")

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """What the REST interface says."""
        if (method, path) == ("GET", PULLS):
            return 200, [pull for pull in self.pulls if pull["state"] == "open"]
        if (method, path) == ("POST", PULLS):
            return self._propose(json.loads(body))
        if path.startswith(f"{PULLS}/") and path.rpartition("/")[2].isdigit() and method == "GET":
            number = int(path.rpartition("/")[2])
            return (200, self.pulls[number - 1]) if number <= len(self.pulls) else (404, {"message": "Not Found"})
        if path.endswith("/check-runs"):
            return 200, {"check_runs": [{"name": "lint", "status": "completed", "conclusion": "success"}]}
        if path.endswith("/comments"):
            return self._comment(method, body)
        return 404, {"message": "Not Found"}

    def _propose(self, wanted: dict[str, Any]) -> tuple[int, Any]:
        head = wanted["head"]
        branches = self.git("for-each-ref", "--format=%(refname:short)").splitlines()
        if head not in branches:
            return 422, {"message": "Validation Failed", "errors": [{"field": "head", "code": "invalid"}]}
        if any(pull["head"]["ref"] == head for pull in self.pulls):
            return 422, {
                "message": "Validation Failed",
                "errors": [{"message": f"A pull request already exists for {head}."}],
            }
        number = len(self.pulls) + 1
        pull = {
            "number": number,
            "title": wanted["title"],
            "body": wanted["body"],
            "state": "open",
            "draft": wanted.get("draft", False),
            "head": {"ref": head, "sha": self.git("rev-parse", head)},
            "base": {"ref": wanted["base"]},
            "user": {"login": "sympozium-bot"},
            "html_url": f"{self.url}/{REPOSITORY}/pull/{number}",
        }
        self.pulls.append(pull)
        return 201, pull

    def _comment(self, method: str, body: bytes) -> tuple[int, Any]:
        if method == "GET":
            return 200, self.comments
        comment = {"user": {"login": "sympozium-bot"}, "created_at": "2026-01-01T00:00:00Z", **json.loads(body)}
        self.comments.append(comment)
        return 201, {"html_url": f"{self.url}/{REPOSITORY}/pull/1#comment-{len(self.comments)}"}


class _Handler(BaseHTTPRequestHandler):
    forge: ClassVar[Forge]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._handle(b"")

    def do_POST(self) -> None:
        self._handle(self._body())

    do_PUT = do_PATCH = do_DELETE = do_POST

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _handle(self, body: bytes) -> None:
        url = urlsplit(self.path)
        self.forge.requests.append(f"{self.command} {url.path}")
        if self.headers.get("Authorization") not in self._accepted():
            self._say(401, b'{"message": "Bad credentials"}', "application/json", ("WWW-Authenticate", "Basic"))
        elif url.path.startswith("/repos/"):
            status, value = self.forge.answer(self.command, url.path, body)
            self._say(status, json.dumps(value).encode(), "application/json")
        else:
            self._git(url.path, url.query, body)

    def _accepted(self) -> tuple[str, str]:
        token = self.forge.token
        basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        return f"Bearer {token}", f"Basic {basic}"

    def _git(self, path: str, query: str, body: bytes) -> None:
        told = {
            "GIT_PROJECT_ROOT": str(self.forge.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": "sympozium-bot",
        }
        done = subprocess.run(
            ["git", "http-backend"], input=body, capture_output=True, env={**os.environ, **told}, check=True
        )
        head, _, rest = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(fields.pop("Status", "200").split()[0])
        kind = fields.pop("Content-Type", "text/plain")
        self._say(status, rest, kind, *fields.items())

    def _say(self, status: int, data: bytes, kind: str, *fields: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (*fields, ("Content-Type", kind), ("Content-Length", str(len(data)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: ``requests`` has them."""


@contextmanager
def forge(root: Path, token: str, port: int = 0, host: str = "127.0.0.1") -> Iterator[Forge]:
    """A forge that answers while the block runs."""
    state = Forge(root, token)
    server = ThreadingHTTPServer((host, port), type("Handler", (_Handler,), {"forge": state}))
    server.daemon_threads = True
    state.url = f"http://{host}:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


if __name__ == "__main__":
    with forge(Path(sys.argv[1]).absolute(), sys.argv[2], int(sys.argv[3]) if sys.argv[3:] else 0) as running:
        if not running.repository.exists():
            running.seed({"charts/payments/values.yaml": "resources:\n  limits:\n    memory: 128Mi\n"})
        print(running.url, flush=True)
        threading.Event().wait()
