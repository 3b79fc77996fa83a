"""The client under test for the MCP conformance suite: ``conformance_client.py URL``.

It starts the real ``sympozium-mcp`` over a scratch run whose one server is URL, and does what an agent would do
through files: it waits for the manifest and calls every tool in it.
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

CONTEXT: dict[str, Any] = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")


def server(url: str) -> tuple[ServerSpec, dict[str, str]]:
    """The server as the RunSpec names it, and the variables that its secrets are in."""
    secrets = {
        key: CONTEXT[name]
        for key, name in (("secret", "client_secret"), ("key", "private_key_pem"))
        if CONTEXT.get(name)
    }
    variables = {key: f"SUITE_{key.upper()}" for key in secrets}
    spec = ServerSpec(
        name="suite",
        prefix="suite_",
        transport="http",
        url=url,
        elicitation="defaults",
        secrets=variables,
        oauth=oauth(secrets),
        required=has_credentials(),
    )
    return spec, {variables[key]: value for key, value in secrets.items()}


def has_credentials() -> bool:
    """Without any the bridge cannot become a client of a server that wants some: then nobody waits for it."""
    return "client_id" in CONTEXT or not os.environ["MCP_CONFORMANCE_SCENARIO"].startswith("auth/")


def oauth(secrets: dict[str, str]) -> OAuthSpec | None:
    if "client_id" not in CONTEXT:
        return None
    return OAuthSpec(
        client_id=CONTEXT["client_id"],
        client_secret="${secret}" if "secret" in secrets else "",
        private_key="${key}" if "key" in secrets else "",
        signing_algorithm=CONTEXT.get("signing_algorithm", "ES256"),
    )


def main() -> None:
    spec, variables = server(sys.argv[1])
    with tempfile.TemporaryDirectory() as base:
        bridge = Bridge(Path(base))
        try:
            bridge.start(spec, **variables)
            if not has_credentials():
                bridge.heard("server lost")
            for tool in bridge.manifest().tools:
                reply = bridge.call(tool.name, **sample_arguments(tool.parameters))
                print(tool.name, reply.outcome)
        finally:
            if bridge.process is not None:
                bridge.process.terminate()
                bridge.process.wait(10)
            sys.stderr.write(bridge.said())


if __name__ == "__main__":
    main()
