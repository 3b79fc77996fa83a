"""OAuth client credentials, as the mcp package speaks them. Tokens live in memory and end with the program."""

from __future__ import annotations

import warnings
from urllib.parse import quote

from mcp.client.auth.extensions.client_credentials import (
    ClientCredentialsOAuthProvider,
    PrivateKeyJWTOAuthProvider,
    SignedJWTParameters,
)
from mcp.client.auth.oauth2 import OAuthClientProvider
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from mcp.shared.exceptions import MCPDeprecationWarning

from sympozium_mcp.access import Access
from sympozium_mcp.secrets import Redactor


class MemoryStorage:
    """Of one connection."""

    def __init__(self) -> None:
        self._tokens: OAuthToken | None = None
        self._client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self._tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self._tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self._client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self._client = client_info


def provider(access: Access, redactor: Redactor) -> OAuthClientProvider:
    """What gets tokens for the server of ``access``, which must have ``oauth``."""
    oauth = access.oauth
    assert oauth is not None
    storage = MemoryStorage()
    scope = " ".join(oauth.scopes) or None
    issuer = oauth.issuer or None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MCPDeprecationWarning)  # whether there is an issuer is for the RunSpec to say
        if oauth.private_key:
            signed = SignedJWTParameters(
                issuer=oauth.client_id,
                subject=oauth.client_id,
                signing_key=oauth.private_key,
                signing_algorithm=oauth.signing_algorithm,
            )
            return PrivateKeyJWTOAuthProvider(
                access.server.url,
                storage,
                oauth.client_id,
                signed.create_assertion_provider(),
                scope=scope,
                issuer=issuer,
            )
        redactor.add(f"{quote(oauth.client_id, safe='')}:{quote(oauth.client_secret, safe='')}")
        return ClientCredentialsOAuthProvider(
            access.server.url,
            storage,
            oauth.client_id,
            oauth.client_secret,
            token_endpoint_auth_method=oauth.auth_method,
            scope=scope,
            issuer=issuer,
        )
