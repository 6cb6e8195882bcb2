"""The public keys of an OIDC issuer: fetched when they are needed, kept, and not fetched too often."""

import asyncio
import logging
import time
from typing import Any, Final

import httpx2
from jwt import PyJWK

from core.errors import IssuerUnavailable

# Fetched anew after this, so that a key the issuer has withdrawn is not trusted for longer.
FRESH_FOR_S: Final = 300
# A token that names a key nobody knows may be of a new key, or made up: it is looked for once in a while.
ASK_AT_MOST_EVERY_S: Final = 10
FETCH_WITHIN_S: Final = 3
MAX_BYTES: Final = 256 * 1024

_log = logging.getLogger(__name__)


class SigningKeys:
    """The keys that an issuer signs with, found by its discovery document (OpenID Connect Discovery 1.0)."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer
        self._keys: dict[str | None, dict[str, Any]] = {}
        self._refreshing: asyncio.Task[None] | None = None
        self._fetched_at = float("-inf")
        self._asked_at = float("-inf")
        self._asking = asyncio.Lock()

    async def find(self, key_id: str | None, algorithm: str) -> PyJWK | None:
        """Return a key by its id, for an algorithm, or None.

        Raises IssuerUnavailable when there are none to look at, and PyJWTError when the key is for something else.
        """
        if key_id not in self._keys:
            await self._refresh()
        elif time.monotonic() - self._fetched_at > FRESH_FOR_S and self._refreshing is None:
            # Those who have a key that is known do not wait for an issuer that may be away.
            self._refreshing = asyncio.create_task(self._refresh())
            self._refreshing.add_done_callback(self._is_refreshed)
        found = self._keys.get(key_id)
        # A key that names no algorithm is good for all of its kind.
        return None if found is None else PyJWK(found, found.get("alg") or algorithm)

    def _is_refreshed(self, done: asyncio.Task[None]) -> None:
        self._refreshing = None
        if not done.cancelled() and (error := done.exception()) is not None:
            _log.warning("the keys of %s could not be fetched: %r", self._issuer, error)

    async def _refresh(self) -> None:
        async with self._asking:
            if time.monotonic() - self._asked_at < ASK_AT_MOST_EVERY_S:
                if not self._keys:
                    raise IssuerUnavailable("the issuer's keys could not be fetched lately")
                return
            self._asked_at = time.monotonic()
            try:
                keys = await self._fetch()
            except (httpx2.HTTPError, TimeoutError, ValueError, KeyError, TypeError, AttributeError) as error:
                _log.warning("the keys of %s could not be fetched: %r", self._issuer, error)
                if not self._keys:
                    raise IssuerUnavailable("the issuer's keys can not be fetched") from error
                return  # those that are known are trusted until the issuer says otherwise
            self._keys = keys
            self._fetched_at = time.monotonic()

    async def _fetch(self) -> dict[str | None, dict[str, Any]]:
        async with asyncio.timeout(FETCH_WITHIN_S), httpx2.AsyncClient() as client:
            described = await _json(client, f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
            if described["issuer"] != self._issuer:
                raise ValueError("the discovery document is another issuer's")
            keys = (await _json(client, described["jwks_uri"]))["keys"]
        return {key.get("kid"): key for key in keys if key.get("use", "sig") == "sig"}


async def _json(client: httpx2.AsyncClient, address: str) -> dict[str, Any]:
    """Return a JSON object from the web. Raises httpx2.HTTPError; ValueError or TypeError if it is something else."""
    async with client.stream("GET", address) as answer:
        answer.raise_for_status()
        content = b""
        async for chunk in answer.aiter_bytes():
            content += chunk
            if len(content) > MAX_BYTES:
                raise ValueError("the answer is too large")
    found = httpx2.Response(200, content=content).json()
    if not isinstance(found, dict):
        raise TypeError("the answer is no JSON object")
    return found
