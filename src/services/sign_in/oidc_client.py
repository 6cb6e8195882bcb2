"""The requests to an OIDC issuer: the code flow (OpenID Connect Core, 3.1) with PKCE (RFC 7636), by Authlib."""

import asyncio
import time
from typing import Any, Final

import httpx2
from authlib.integrations.httpx_client import AsyncOAuth2Client, OAuthError

from core.errors import IssuerUnavailable
from core.sign_in_errors import Refusal, SignInRefused
from services.access.signing_keys import discovery

SCOPE: Final = "openid email profile"
FRESH_FOR_S: Final = 300
TIMEOUT_S: Final = 5


class OidcClient:
    """The service as a client of the issuer. `client_secret` is None for a public client, which PKCE protects.

    Every method raises IssuerUnavailable.
    """

    def __init__(self, issuer: str, client_id: str, client_secret: str | None) -> None:
        self._issuer = issuer
        self.client_id: Final = client_id
        self._client_secret = client_secret
        self._endpoints: dict[str, Any] = {}
        self._fetched_at = float("-inf")

    async def authorization_url(self, redirect_uri: str, *, state: str, nonce: str, code_verifier: str) -> str:
        """Return the URL at which the issuer asks the person, and from which it returns to `redirect_uri`."""
        endpoint = (await self._discovered())["authorization_endpoint"]
        async with self._client(redirect_uri) as client:
            url, _ = client.create_authorization_url(endpoint, state=state, nonce=nonce, code_verifier=code_verifier)
        return str(url)

    async def id_token(self, redirect_uri: str, *, code: str, code_verifier: str) -> str:
        """Return the ID token for an authorization code, not verified yet. Raises SignInRefused."""
        endpoint = (await self._discovered())["token_endpoint"]
        try:
            async with asyncio.timeout(TIMEOUT_S), self._client(redirect_uri) as client:
                granted = await client.fetch_token(
                    endpoint, grant_type="authorization_code", code=code, code_verifier=code_verifier
                )
        except OAuthError as error:
            raise SignInRefused(Refusal.ISSUER_REFUSED) from error
        except (httpx2.HTTPError, TimeoutError, ValueError) as error:
            raise IssuerUnavailable("the token endpoint of the issuer does not respond") from error
        token = granted.get("id_token")
        if not isinstance(token, str):
            raise SignInRefused(Refusal.ISSUER_REFUSED)
        return token

    async def _discovered(self) -> dict[str, Any]:
        if time.monotonic() - self._fetched_at > FRESH_FOR_S:
            try:
                async with asyncio.timeout(TIMEOUT_S), httpx2.AsyncClient() as client:
                    document = await discovery(client, self._issuer)
                self._endpoints = {name: document[name] for name in ("authorization_endpoint", "token_endpoint")}
            except (httpx2.HTTPError, TimeoutError, ValueError, KeyError, TypeError) as error:
                raise IssuerUnavailable("the discovery document of the issuer cannot be fetched") from error
            self._fetched_at = time.monotonic()
        return self._endpoints

    def _client(self, redirect_uri: str) -> AsyncOAuth2Client:
        return AsyncOAuth2Client(
            self.client_id,
            self._client_secret,
            scope=SCOPE,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            follow_redirects=False,
        )
