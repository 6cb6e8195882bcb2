"""Responses whose JSON is already serialized: by the service, by PostgreSQL, or in the cache."""

from collections.abc import Set
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.http.headers import link_to_next
from db.cache.stored import CacheOutcome, Stored
from services.tickets.lists import SerializedPage
from services.write_result import WriteResult

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
_REPLAYED: Final = (b"idempotent-replayed", b"true")


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


def changed_response(result: WriteResult) -> SerializedResponse:
    """Return the response with a ticket that was changed."""
    return SerializedResponse(200, [(b"etag", b'"%d"' % result.version)], result.body)


def created_response(result: WriteResult, *, is_replay: bool, location: str | None = None) -> SerializedResponse:
    """Return the response with what was created: 201 with the version that it made, marked if it is a replay."""
    headers = [(b"etag", b'"%d"' % result.version)]
    if location is not None:
        headers.append((b"location", location.encode()))
    if is_replay:
        headers.append(_REPLAYED)
    return SerializedResponse(201, headers, result.body)


def accepted_response(result: WriteResult, *, is_replay: bool, location: str) -> SerializedResponse:
    """Return the response with what is done in the background (202), marked if it is a replay."""
    headers = [(b"location", location.encode())]
    return SerializedResponse(202, [*headers, _REPLAYED] if is_replay else headers, result.body)


def upserted_response(result: WriteResult, *, existed: bool) -> SerializedResponse:
    """Return the response with a ticket that existed (200) or was created (201)."""
    return (
        changed_response(result)
        if existed
        else created_response(result, is_replay=False, location=f"/tickets/{result.ticket_id}")
    )
