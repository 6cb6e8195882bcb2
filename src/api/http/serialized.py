"""Responses whose JSON is already serialized: a ticket from the cache, and a page of tickets from PostgreSQL."""

from collections.abc import Set
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.http.headers import link_to_next
from db.cache.ticket_cache import CacheOutcome, Stored
from services.tickets.lists import SerializedPage

_JSON: Final = (b"content-type", b"application/json")
# Cache-Status (RFC 9211).
_CACHE_STATUS: Final = {
    CacheOutcome.HIT: b"tickets; hit",
    CacheOutcome.FILLED: b"tickets; fwd=miss; stored",
    CacheOutcome.NOT_FILLED: b"tickets; fwd=miss",
    CacheOutcome.SHARED: b"tickets; fwd=miss; collapsed",
    CacheOutcome.BYPASSED: b"tickets; fwd=bypass",
    CacheOutcome.STALE_IF_ERROR: b"tickets; hit; detail=stale-if-error",
}
# Clients may store the response, but must revalidate it before each use.
_REVALIDATE: Final = (b"cache-control", b"no-cache")


class SerializedResponse(Response):
    """A response that renders nothing: a JSON body in bytes, or no body (None)."""

    background = None

    def __init__(self, status_code: int, headers: list[tuple[bytes, bytes]], body: bytes | None = None) -> None:
        # Not by the base class: it encodes header by header, which takes as long as the rest of the response.
        self.status_code = status_code
        self.raw_headers = headers
        self.body = body or b""
        if body is not None:
            headers += (_JSON, (b"content-length", b"%d" % len(body)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """Send the response."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body})


def lookup_response(stored: Stored, outcome: CacheOutcome, known: Set[int] | None) -> SerializedResponse:
    """Return the response with a ticket; 304 if its version is among `known` (None: any version)."""
    headers = [(b"etag", b'"%d"' % stored.version), (b"cache-status", _CACHE_STATUS[outcome]), _REVALIDATE]
    if known is None or stored.version in known:
        return SerializedResponse(304, headers)
    return SerializedResponse(200, headers, stored.body)


def list_response(scope: Scope, page: SerializedPage) -> SerializedResponse:
    """Return the response with a page of tickets and the link to the next page."""
    link = link_to_next(scope, page.next_cursor)
    return SerializedResponse(200, [(name.lower().encode(), value.encode()) for name, value in link.items()], page.body)
