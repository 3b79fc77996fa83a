"""Clients of others at the web endpoint: OpenAI's for Node.js, and the MCP Inspector."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import npm
from tests.web.conftest import Web, instance

NODE_CLIENT = """
import OpenAI from "openai";
const client = new OpenAI({ baseURL: process.env.URL + "/v1", apiKey: process.env.TOKEN });
const messages = [{ role: "user", content: "grüße 你好" }];
const whole = await client.chat.completions.create({ model: "echo", messages });
let streamed = "", usage = null;
const stream = await client.chat.completions.create({
  model: "echo", messages, stream: true, stream_options: { include_usage: true } });
for await (const chunk of stream) {
  streamed += chunk.choices[0]?.delta?.content ?? "";
  usage = chunk.usage ?? usage;
}
let refused = null;
try { await client.chat.completions.create({ model: "nobody", messages }); } catch (error) { refused = error.status; }
const models = []; for await (const model of client.models.list()) models.push(model.id);
console.log(JSON.stringify({ whole: whole.choices[0].message.content, streamed, usage, refused, models }));
"""


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    npm.program("node")
    found = Web(tmp_path_factory.mktemp("web"))
    found.write(instance("echo", {"say": "${input}"}))
    found.start()
    yield found
    found.stop()


def test_openais_client_for_node_gets_whole_and_streamed_answers(web: Web, tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(npm.MODULES)
    (tmp_path / "client.mjs").write_text(NODE_CLIENT)
    done = subprocess.run(
        [npm.program("node"), "client.mjs"],
        cwd=tmp_path,
        env=npm.environment(URL=web.url, TOKEN=web.token),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["usage"]["total_tokens"] > 0
    del found["usage"]
    assert found == {"whole": "grüße 你好", "streamed": "grüße 你好", "refused": 404, "models": ["echo"]}


def inspect(web: Web, token: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [npm.program("mcp-inspector"), "--cli", f"{web.url}/mcp", "--transport", "http",
         "--header", f"Authorization: Bearer {token}", *words],
        env=npm.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )  # fmt: skip


def inspected(web: Web, *words: str) -> dict[str, object]:
    done = inspect(web, web.token, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_the_inspector_lists_and_calls_the_agents(web: Web) -> None:
    (tool,) = inspected(web, "--method", "tools/list")["tools"]  # type: ignore[misc]
    assert tool["name"] == "ask_echo"
    call = inspected(web, "--method", "tools/call", "--tool-name", "ask_echo", "--tool-arg", "input=hello")
    assert call["content"] == [{"type": "text", "text": "hello"}]


def test_the_inspector_is_refused_with_another_token(web: Web) -> None:
    done = inspect(web, "another", "--method", "tools/list")
    assert json.loads(done.stderr)["error"]["code"] == "auth_required"
    assert done.stdout == ""
