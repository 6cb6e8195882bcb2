"""Sends one request to a receiver and returns what became of it."""

import asyncio
import math
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

import httpcore2

from services.webhooks.addresses import AddressPolicy, AddressRefused
from services.webhooks.network import GuardedBackend

MAX_RESPONSE_BYTES: Final = 16 * 1024
MAX_RETRY_AFTER_S: Final = 24 * 3600
GONE: Final = 410
TOO_MANY_REQUESTS: Final = 429
_KEPT_CONNECTIONS: Final = 20
_KEPT_FOR_S: Final = 20
_USER_AGENT: Final = "tickets-webhooks/1.0"


@dataclass(frozen=True)
class Attempt:
    """What became of a request. `status` is None without a response; `error` says why there is none.

    `response_head` is the start of the body, and `retry_after_s` what the receiver asked for.
    """

    status: int | None
    error: str | None
    duration_ms: int
    response_head: str = ""
    retry_after_s: float | None = None

    @property
    def is_success(self) -> bool:
        """Whether the receiver accepted the event: a redirect is a failure."""
        return self.status is not None and 200 <= self.status < 300


class Sender:
    """Sends requests over pooled connections. It follows no redirects, and uses no proxy of the environment."""

    def __init__(self, policy: AddressPolicy, *, ssl_context: ssl.SSLContext | None = None) -> None:
        self.policy = policy
        self._ssl_context = ssl_context
        self._backends: dict[str, GuardedBackend] = {}
        self._pools: dict[str, httpcore2.AsyncConnectionPool] = {}

    async def send(self, url: str, headers: dict[str, str], body: bytes, *, timeout_s: float) -> Attempt:
        """Send a POST request, and return after `timeout_s` at the latest. Raises nothing of the network."""
        began_at = time.monotonic()
        received = _Received()
        error = None
        try:
            async with asyncio.timeout(timeout_s):
                await self._exchange(url, headers, body, received)
        except TimeoutError:
            error = f"no response within {timeout_s:g} s"
        except AddressRefused as refusal:
            error = f"address not allowed: {refusal}"
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException, OSError) as failure:
            error = _storable(f"{type(failure).__name__}: {failure}")[:200]
        return Attempt(
            received.status,
            error if received.status is None else None,  # the body of the response is of no consequence
            math.ceil((time.monotonic() - began_at) * 1000),
            _storable(received.body[:MAX_RESPONSE_BYTES].decode(errors="replace")),
            received.retry_after_s,
        )

    async def close(self) -> None:
        """Close every connection."""
        for pool in self._pools.values():
            await pool.aclose()
        for backend in self._backends.values():
            backend.close()

    async def _exchange(self, url: str, headers: dict[str, str], body: bytes, received: "_Received") -> None:
        self.policy.ensure_valid(url)  # what is allowed may have changed since the endpoint was created
        pool = self._pool(urlsplit(url).scheme)
        sent = {"content-length": str(len(body)), "user-agent": _USER_AGENT} | headers
        async with pool.stream("POST", _target(url), headers=list(sent.items()), content=body) as response:
            received.retry_after_s = _retry_after_s(response)
            received.status = response.status
            async for chunk in response.aiter_stream():
                received.body += chunk
                if len(received.body) >= MAX_RESPONSE_BYTES:
                    return  # the connection is closed, unread

    def _pool(self, scheme: str) -> httpcore2.AsyncConnectionPool:
        """Return the pool of a scheme. It is made at the first use: most services have no webhooks."""
        if scheme not in self._pools:
            self._backends[scheme] = GuardedBackend(self.policy, is_encrypted=scheme == "https")
            self._pools[scheme] = httpcore2.AsyncConnectionPool(
                # Without one, the pool would read the certificates of all authorities for each connection.
                ssl_context=self._ssl_context or httpcore2.default_ssl_context(),
                max_connections=None,  # the deliverer limits the requests; here, one would wait within its timeout
                max_keepalive_connections=_KEPT_CONNECTIONS,
                keepalive_expiry=_KEPT_FOR_S,
                network_backend=self._backends[scheme],
            )
        return self._pools[scheme]


class _Received:
    """What has arrived so far."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.body = bytearray()
        self.retry_after_s: float | None = None


def _target(url: str) -> httpcore2.URL:
    """Return a URL with its whole path; httpcore2 itself would drop what follows a semicolon in the last segment."""
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return httpcore2.URL(scheme=parts.scheme, host=parts.hostname or "", port=parts.port, target=path)


def _storable(text: str) -> str:
    """Return a text without what PostgreSQL cannot store."""
    return text.replace("\0", "").encode(errors="replace").decode()


def _retry_after_s(response: httpcore2.Response) -> float | None:
    """Return the seconds of Retry-After (RFC 9110, 10.2.3), at most a day; None without a valid one."""
    value = next((value for name, value in response.headers if name.lower() == b"retry-after"), b"").decode("latin-1")
    seconds: float | None = None
    if value.isdecimal():
        seconds = float(value[:10])
    else:
        with suppress(ValueError, OverflowError):  # the year may be one that no date can have
            at = parsedate_to_datetime(value)
            seconds = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()
    return None if seconds is None else min(max(seconds, 0.0), MAX_RETRY_AFTER_S)
