"""What stands in for Secrets: admission never reads one. Pure."""

from __future__ import annotations

from sympozium_controller.objects import MCPServer, Metadata, Secret
from sympozium_controller.servers import keys_in


def stand_in(server: MCPServer) -> Secret | None:
    """The Secret that a server names, with every key that it uses and no value; None when it names none."""
    spec = server.spec
    if not spec.secret_ref:
        return None
    oauth = (spec.oauth.client_id, spec.oauth.client_secret, spec.oauth.private_key)
    texts = (*spec.headers.values(), *spec.env.values(), *oauth)
    keys = dict.fromkeys((key for text in texts for key in keys_in(text)), "")
    return Secret(metadata=Metadata(name=spec.secret_ref, namespace=server.namespace), string_data=keys)
