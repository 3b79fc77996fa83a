"""The client under test for the MCP conformance suite: ``conformance_client.py URL``.

It starts the real ``sympozium-mcp`` over a scratch run whose one server is URL, and does what an agent would do
through files: it waits for the manifest and calls every tool in it. Its last line says what came of it; it ends with
1 when the bridge gave the server up.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from sympozium_protocol.conformance.samples import sample_arguments
from sympozium_protocol.messages.servers import OAuthSpec, ServerSpec
from tests.mcp.conftest import Bridge
from tests.support.ipc import wait_for

SCENARIO = os.environ["MCP_CONFORMANCE_SCENARIO"]
CONTEXT: dict[str, Any] = {
    "client_id": "an-agent",
    "client_secret": "the-secret-of-an-agent",
    **json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}"),
}
"""What the suite gives; and the credentials of some client, where the suite expects that one registers itself."""

HANDSHAKES = 2
"""A server that is lost once may only not know the newer one."""


def server(url: str) -> tuple[ServerSpec, dict[str, str]]:
    """The server as the RunSpec names it, and the variables that its secrets are in."""
    signed = "private_key_pem" in CONTEXT
    oauth = OAuthSpec(
        client_id=CONTEXT["client_id"],
        client_secret="" if signed else "${SECRET}",
        private_key="${SECRET}" if signed else "",
        signing_algorithm=CONTEXT.get("signing_algorithm", "ES256"),
        auth_method="client_secret_post" if SCENARIO.endswith("auth-post") else "client_secret_basic",
    )
    spec = ServerSpec(
        name="suite",
        prefix="suite_",
        transport="http",
        url=url,
        elicitation="defaults",
        secrets={"SECRET": "SECRET_OF_THE_SUITE"},
        oauth=oauth if SCENARIO.startswith("auth/") else None,
    )
    return spec, {"SECRET_OF_THE_SUITE": CONTEXT["private_key_pem" if signed else "client_secret"]}


def use(bridge: Bridge) -> bool:
    """Call every tool, once the bridge says which there are; False when it gave the server up."""
    known = "mcp/tools/1.json"
    wait_for(lambda: bridge.has(known) or len(bridge.events("server lost")) >= HANDSHAKES or None, "the tools")
    if not bridge.has(known):
        return False
    for tool in bridge.manifest().tools:
        print(tool.name, bridge.call(tool.name, **sample_arguments(tool.parameters)).outcome)
    return True


def main() -> int:
    spec, variables = server(sys.argv[1])
    with tempfile.TemporaryDirectory() as base:
        bridge = Bridge(Path(base))
        try:
            bridge.start(spec, wait=False, **variables)
            used = use(bridge)
        finally:
            if bridge.process is not None:
                bridge.process.terminate()
                bridge.process.wait(10)
            sys.stderr.write(bridge.said())
    print("used" if used else "given up")
    return 0 if used else 1


if __name__ == "__main__":
    raise SystemExit(main())
