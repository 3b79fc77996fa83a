"""fetch_url against a real server: where it connects, what it follows, what it reads."""

from __future__ import annotations

import asyncio
import gzip
import os
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from native_env import context, text

from sympozium_protocol.participant import Result
from sympozium_runner.native import fetch_url as module, web
from sympozium_runner.native.addresses import fault_of_address
from sympozium_runner.native.fetch_url import LARGEST, decode, fetch_url

Answer = Callable[[BaseHTTPRequestHandler], None]


class Site(ThreadingHTTPServer):
    """A server on the loopback address whose paths answer as a test says, and which remembers the requests."""

    daemon_threads = True

    def __init__(self, address: str = "127.0.0.1") -> None:
        super().__init__((address, 0), Handler)
        self.answers: dict[str, Answer] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.ended = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.server_port}{path}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what some tests are about."""

    def stop(self) -> None:
        self.ended.set()
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    server: Site
    protocol_version: ClassVar[str] = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.seen.append((self.path, dict(self.headers)))
        self.server.answers[self.path](self)

    def log_message(self, *_: object) -> None:
        pass


def reply(body: bytes, kind: str | None = "text/plain", status: int = 200, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        if kind:
            handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@pytest.fixture
def site() -> Iterator[Site]:
    server = Site()
    yield server
    server.stop()


def fetch(url: str, *, private: bool = True, resolve: web.Resolve = web.resolve, **more: Any) -> Result:
    env = context(Path("/nowhere"), private=private)
    return asyncio.run(fetch_url({"url": url, **more}, env, resolve=resolve))


def test_a_page_comes_as_readable_text_with_its_status(site: Site) -> None:
    site.answers["/a/"] = reply("<h1>Hé</h1><a href=b>l</a>".encode(), "text/html; charset=utf-8")
    result = fetch(site.url("/a/"))
    assert result.outcome == "ok"
    assert text(result) == f"{site.url('/a/')}: status 200, text/html\n\n# Hé\n\n[l]({site.url('/a/b')})"


def test_an_error_status_is_an_error_with_what_the_server_said(site: Site) -> None:
    site.answers["/"] = reply(b"no such thing", status=404)
    result = fetch(site.url("/"))
    assert (result.outcome, result.details["status"]) == ("error", 404)
    assert "no such thing" in text(result)


@pytest.mark.parametrize("url", ["ftp://e.org/", "file:///etc/passwd", "gopher://x", "e.org", "", "http://", "//e.org"])
def test_other_schemes_and_no_urls_are_refused(url: str) -> None:
    assert fetch(url or " ").outcome == "error"


@pytest.mark.parametrize(
    "url", ["http://[::1", "http://a..b/", "http://x:99999/", "http://\udcff/", "http://u:p@e.org/"]
)
def test_a_strange_url_is_an_answer(url: str) -> None:
    assert fetch(url).outcome == "error"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "127.1"])
def test_this_machine_is_refused_by_whatever_name(site: Site, host: str) -> None:
    site.answers["/"] = reply(b"secret")
    result = fetch(site.url("/", host), private=False)
    assert result.outcome == "error"
    assert site.seen == []


@pytest.mark.parametrize("host", ["169.254.169.254", "[fd00:ec2::254]", "0.0.0.0", "[::]", "224.0.0.1"])
def test_metadata_and_special_addresses_are_refused_even_where_private_ones_are_allowed(host: str) -> None:
    assert "not allowed" in text(fetch(f"http://{host}/latest/meta-data/"))


def test_a_redirect_is_judged_like_the_first_address(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = Site("127.0.0.2")
    hidden.answers["/"] = reply(b"secret")
    site.answers["/"] = reply(b"", status=302, Location=hidden.url("/", "127.0.0.2"))

    def only_the_first(address: str, *, private: bool) -> str | None:
        return None if address == "127.0.0.1" else fault_of_address(address, private=private)

    monkeypatch.setattr(web, "fault_of_address", only_the_first)
    result = fetch(site.url("/"), private=False)
    hidden.stop()
    assert "127.0.0.2 is a loopback or private address" in text(result)
    assert hidden.seen == []
    assert len(site.seen) == 1


@pytest.mark.parametrize("target", ["file:///etc/passwd", "http://169.254.169.254/", "http://[::1", "javascript:x"])
def test_a_redirect_to_what_is_not_fetched_ends_there(site: Site, target: str) -> None:
    site.answers["/"] = reply(b"", status=307, Location=target)
    assert fetch(site.url("/")).outcome == "error"


def test_redirects_are_followed_without_cookies_and_only_so_many_times(site: Site) -> None:
    for number in range(5):
        site.answers[f"/{number}"] = reply(b"", status=301, Location=str(number + 1), Set_Cookie="a=b; Path=/")
    site.answers["/5"] = reply(b"here")
    assert "here" in text(fetch(site.url("/0")))
    assert not any("Cookie" in headers for _, headers in site.seen)
    site.answers["/5"] = reply(b"", status=301, Location="/0")
    assert "more than 5 redirects" in text(fetch(site.url("/0")))


def test_a_name_is_resolved_once_and_the_judged_address_is_the_one_connected_to(site: Site) -> None:
    site.answers["/"] = reply(b"here")
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    # the system does not know this name: only the judged address can have been connected to
    assert "here" in text(fetch(site.url("/", "rebind.invalid"), resolve=rebinding))
    assert asked == ["rebind.invalid"]
    assert site.seen[0][1]["Host"] == f"rebind.invalid:{site.server_port}"


def test_a_name_that_also_answers_with_a_public_address_does_not_reach_the_private_one(site: Site) -> None:
    site.answers["/"] = reply(b"secret")

    async def mixed(host: str, port: int) -> list[str]:
        return ["127.0.0.1", "169.254.169.254"]

    assert fetch(site.url("/", "mixed.invalid"), private=False, resolve=mixed).outcome == "error"
    assert site.seen == []


def test_the_next_address_is_tried_where_the_first_takes_no_connection(site: Site) -> None:
    site.answers["/"] = reply(b"here")

    async def two(host: str, port: int) -> list[str]:
        return ["127.0.0.9", "127.0.0.1"]

    assert "here" in text(fetch(site.url("/", "two.invalid"), resolve=two))


def test_an_unknown_host_is_an_answer() -> None:
    async def nobody(host: str, port: int) -> list[str]:
        raise OSError("no such host")

    assert "is not known" in text(fetch("http://gone.invalid/", resolve=nobody))


def test_proxies_of_the_environment_are_ignored(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = Site()
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url(""))
    site.answers["/"] = reply(b"here")
    assert "here" in text(fetch(site.url("/")))
    proxy.stop()
    assert proxy.seen == []


def test_a_large_body_is_read_up_to_the_limit(site: Site) -> None:
    site.answers["/"] = reply(b"x" * (LARGEST + 5000))
    result = fetch(site.url("/"))
    assert result.details["bytes"] == LARGEST
    assert f"the first {LARGEST} bytes" in text(result)
    assert fetch(site.url("/"), max_bytes=10).details["bytes"] == 10


def test_an_endless_body_is_left_at_the_limit(site: Site) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/plain")
        handler.end_headers()
        while not site.ended.is_set():
            handler.wfile.write(b"x" * 65536)

    site.answers["/"] = endless
    assert fetch(site.url("/"), max_bytes=100_000).details["bytes"] == 100_000


def test_a_compressed_body_is_unpacked_only_up_to_the_limit(site: Site) -> None:
    site.answers["/bomb"] = reply(gzip.compress(b"x" * 50_000_000), Content_Encoding="gzip")
    site.answers["/small"] = reply(gzip.compress(b"small"), Content_Encoding="gzip")
    site.answers["/bad"] = reply(b"not gzip", Content_Encoding="gzip")
    site.answers["/br"] = reply(b"x", Content_Encoding="gzip, gzip")
    assert fetch(site.url("/bomb"), max_bytes=1000).details["bytes"] == 1000
    assert text(fetch(site.url("/small"))).endswith("\n\nsmall")
    assert "damaged" in text(fetch(site.url("/bad")))
    assert "not asked for" in text(fetch(site.url("/br")))


def test_a_server_that_never_ends_its_answer_costs_a_bounded_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "10")
        handler.end_headers()
        handler.wfile.write(b"x")
        site.ended.wait()

    site.answers["/"] = slow
    monkeypatch.setattr(module, "SECONDS", 0.3)
    assert "no whole answer within" in text(fetch(site.url("/")))


def test_a_server_that_hangs_up_is_an_answer(site: Site) -> None:
    def cut(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "10")
        handler.end_headers()
        handler.wfile.write(b"x")
        handler.close_connection = True

    site.answers["/"] = cut
    result = fetch(site.url("/"))
    assert result.outcome == "error"
    assert "Traceback" not in text(result)


def test_binary_content_is_named_and_not_fetched(site: Site) -> None:
    site.answers["/"] = reply(b"\x89PNG\r\n\0\0", "image/png")
    site.answers["/untold"] = reply(b"\x7fELF\0\0\0", None)
    assert "binary content of type image/png, 8 bytes" in text(fetch(site.url("/")))
    assert "ELF" in text(fetch(site.url("/untold")))


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        ("é".encode("latin-1"), "text/plain; charset=ISO-8859-1", "é"),
        ("é".encode(), "text/plain", "é"),
        ("é".encode("utf-16"), "text/plain", "é"),
        (b"<meta charset='windows-1252'>\x80", "text/html", "<meta charset='windows-1252'>€"),
        (b"+AGE-", "text/plain; charset=punycode", "+AGE-"),
        (b"x", "text/plain; charset=utf-99", "x"),
    ],
)
def test_the_character_set_is_found(body: bytes, kind: str, expected: str) -> None:
    assert decode(body, kind, html="html" in kind) == expected


def test_a_page_that_breaks_its_reader_comes_as_source(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.sys, "executable", "/bin/false")
    site.answers["/"] = reply(b"<p>x", "text/html")
    assert "its source follows]\n\n<p>x" in text(fetch(site.url("/")))


def test_tls_is_verified_against_the_name_and_not_the_address(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate),
            *("-subj", "/CN=x", "-days", "2", "-addext", "subjectAltName=DNS:good.invalid"),
        ],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    names: list[str | None] = []
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    server.sni_callback = lambda _socket, name, _context: names.append(name)
    site.socket = server.wrap_socket(site.socket, server_side=True)
    site.answers["/"] = reply(b"here")
    monkeypatch.setenv("SSL_CERT_FILE", os.fspath(certificate))

    async def local(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    good = site.url("/", "good.invalid").replace("http:", "https:")
    assert "here" in text(fetch(good, resolve=local))
    assert names == ["good.invalid"]
    assert fetch(good.replace("good", "other"), resolve=local).outcome == "error"
    assert len(site.seen) == 1
