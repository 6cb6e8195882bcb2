"""Refuses requests by their target and headers, before a byte of the body is read (406, 413, 414, 431)."""

import re
from collections.abc import Awaitable
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.event_stream import accepts_stream
from api.paths import JSON_ONLY, is_of_events
from api.problems.handlers import problem_response

# uvicorn itself accepts a request target of up to 64 KiB and headers of any size.
MAX_TARGET_BYTES: Final = 8 * 1024
MAX_HEADER_BYTES: Final = 16 * 1024

# The media ranges of Accept that include JSON, unless q=0 excludes them. An absent or empty Accept includes everything.
_JSON: Final = re.compile(
    rb"|(?:\*/\*|application/(?:\*|json|problem\+json))\s*(?:;(?!\s*q=0(?:\.0*)?\s*(?:;|$))[^;]*)*", re.IGNORECASE
)
# The value that most clients send; it needs no parsing.
_ANYTHING: Final = [b"*/*"]
# A Content-Length with more digits exceeds every limit. Converting all of them to a number would only take time.
_MAX_LENGTH_DIGITS: Final = 20
# The client need not send the rest of a request that is too large.
_HEADERS: Final = {status: {"Connection": "close"} for status in (413, 414, 431)}


class RequestLimitsMiddleware:
    """Limits the request target, the headers and the declared body size, and refuses clients that do not accept JSON.

    FastAPI's `max_body_size` counts the bytes that arrive, and responds to a declared length in plain text. So this
    middleware compares Content-Length with `max_body_bytes` itself.
    """

    def __init__(self, app: ASGIApp, *, max_body_bytes: int) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Process one request."""
        status = self._refusal(scope) if scope["type"] == "http" else None
        app = self._app if status is None else problem_response(Request(scope), status, _HEADERS.get(status))
        return app(scope, receive, send)

    def _refusal(self, scope: Scope) -> int | None:
        """Return the status to refuse a request with; None if it is within the limits."""
        size, length, accept = 0, b"", []
        for name, value in scope["headers"]:
            size += len(name) + len(value)
            if name == b"accept":
                accept.append(value)
            elif name == b"content-length":
                length = value
        if len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"]) > MAX_TARGET_BYTES:
            return 414
        if size > MAX_HEADER_BYTES:
            return 431
        if length.isdigit() and int(length[:_MAX_LENGTH_DIGITS]) > self._max_body_bytes:
            return 413
        if _accepts_json(accept) or scope["path"] not in JSON_ONLY:
            return None
        return None if is_of_events(scope["path"]) and accepts_stream(Headers(scope=scope)) else 406


def _accepts_json(accept: list[bytes]) -> bool:
    if not accept or accept == _ANYTHING:
        return True
    return any(_JSON.fullmatch(media_range.strip()) for media_range in b",".join(accept).split(b","))
