"""The public keys of an OIDC issuer: fetched on demand, cached, and fetched at a limited rate."""

import asyncio
import logging
import time
from typing import Any, Final

import httpx2
from jwt import PyJWK

from core.errors import IssuerUnavailable

# The keys are fetched again after this time: a reachable issuer can withdraw a key within it.
FRESH_FOR_S: Final = 300
# The unknown key of a token may be new or made up, so the rate of fetches is limited.
MIN_FETCH_INTERVAL_S: Final = 10
FETCH_TIMEOUT_S: Final = 3
MAX_BYTES: Final = 256 * 1024

_log = logging.getLogger(__name__)


class SigningKeys:
    """The keys that an issuer signs with, located by its discovery document (OpenID Connect Discovery 1.0)."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer
        self._keys: dict[str | None, dict[str, Any]] = {}
        self._refreshing: asyncio.Task[None] | None = None
        self._fetched_at = float("-inf")
        self._attempted_at = float("-inf")
        self._fetch_lock = asyncio.Lock()

    async def find(self, key_id: str | None, algorithm: str) -> PyJWK | None:
        """Return a key by its id, for an algorithm, or None.

        Raises IssuerUnavailable when no keys could be fetched, and PyJWTError when the key is of another algorithm.
        """
        if key_id not in self._keys:
            await self._refresh()
        elif time.monotonic() - self._fetched_at > FRESH_FOR_S and self._refreshing is None:
            # In the background: a token with a known key does not wait for an issuer that may be unavailable.
            self._refreshing = asyncio.create_task(self._refresh())
            self._refreshing.add_done_callback(self._end_refresh)
        found = self._keys.get(key_id)
        # A key without an algorithm serves every algorithm of its type.
        return None if found is None else PyJWK(found, found.get("alg") or algorithm)

    def _end_refresh(self, task: asyncio.Task[None]) -> None:
        self._refreshing = None
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.warning("cannot fetch the signing keys of %s: %r", self._issuer, error)

    async def _refresh(self) -> None:
        async with self._fetch_lock:
            if time.monotonic() - self._attempted_at < MIN_FETCH_INTERVAL_S:
                if not self._keys:
                    raise IssuerUnavailable("the signing keys of the issuer could not be fetched a moment ago")
                return
            self._attempted_at = time.monotonic()
            try:
                keys = await self._fetch()
            except (httpx2.HTTPError, TimeoutError, ValueError, KeyError, TypeError, AttributeError) as error:
                _log.warning("cannot fetch the signing keys of %s: %r", self._issuer, error)
                if not self._keys:
                    raise IssuerUnavailable("the signing keys of the issuer cannot be fetched") from error
                return  # the known keys stay trusted until a fetch succeeds
            self._keys = keys
            self._fetched_at = time.monotonic()

    async def _fetch(self) -> dict[str | None, dict[str, Any]]:
        async with asyncio.timeout(FETCH_TIMEOUT_S), httpx2.AsyncClient() as client:
            document = await discovery(client, self._issuer)
            keys = (await _json(client, document["jwks_uri"]))["keys"]
        return {key.get("kid"): key for key in keys if key.get("use", "sig") == "sig"}


async def discovery(client: httpx2.AsyncClient, issuer: str) -> dict[str, Any]:
    """Return the discovery document of an issuer. Raises httpx2.HTTPError, ValueError, KeyError or TypeError."""
    document = await _json(client, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    if document["issuer"] != issuer:
        raise ValueError("the discovery document names another issuer")
    return document


async def _json(client: httpx2.AsyncClient, url: str) -> dict[str, Any]:
    """Return the JSON object at a URL. Raises httpx2.HTTPError, or ValueError or TypeError for any other body."""
    async with client.stream("GET", url) as response:
        response.raise_for_status()
        content = b""
        async for chunk in response.aiter_bytes():
            content += chunk
            if len(content) > MAX_BYTES:
                raise ValueError("the response is too large")
    found = httpx2.Response(200, content=content).json()
    if not isinstance(found, dict):
        raise TypeError("the response is not a JSON object")
    return found
