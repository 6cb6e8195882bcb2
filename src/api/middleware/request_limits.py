"""What every request passes before its route: its id, the method HEAD, and what is refused by its headers alone."""

import re
import secrets
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.middleware.request_id import REQUEST_ID_HEADER, SCOPE_KEY
from api.middleware.security_headers import secured
from api.paths import PathSet
from api.problems.handlers import problem_response
from core.shutdown import ShutdownState

# uvicorn itself takes an address of up to 64 KiB, and headers of any size.
MAX_ADDRESS_BYTES: Final = 8 * 1024
MAX_HEADER_BYTES: Final = 16 * 1024

_ID_HEADER: Final = REQUEST_ID_HEADER.lower().encode()
_WELL_FORMED: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
# What Accept may say for JSON to be good; q=0 says that it is not. No Accept, or an empty one, takes anything.
_JSON: Final = re.compile(
    rb"|(?:\*/\*|application/(?:\*|json|problem\+json))\s*(?:;(?!\s*q=0(?:\.0*)?\s*(?:;|$)).*)?", re.IGNORECASE
)
# A length this long is refused by its length; as a number it would only cost time.
_LONGEST_LENGTH: Final = 20
_GOODBYE: Final = {b"connection": b"close"}
# Who sends too much need not send the rest of it.
_HANG_UP: Final = {status: {"Connection": "close"} for status in (413, 414, 431)}


class RequestLimits:
    """Gives each request an id, and each answer its header and those for browsers; answers HEAD as GET without a body.

    Refuses, before a byte of the body is read, one that says it is over `max_bytes`: FastAPI's `max_body_size` counts
    what arrives, and would answer a declared length in plain text. Refuses addresses and headers that are too large,
    and a request below `json_places` whose sender takes no JSON.

    While the service stops, each answer says `Connection: close`, so that a client's next request goes elsewhere.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int, json_places: PathSet, stopping: ShutdownState) -> None:
        self._app = app
        self._most_bytes = max_bytes
        self._json_places = json_places
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent_id, status = self._read(scope)
        request_id = sent_id if _WELL_FORMED.fullmatch(sent_id) else secrets.token_hex(8).encode()
        scope[SCOPE_KEY] = request_id.decode()  # not in a copy: unexpected errors are answered outside of us
        is_head = scope["method"] == "HEAD"
        if is_head:
            scope = {**scope, "method": "GET"}

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                ours = {_ID_HEADER: request_id} | (_GOODBYE if self._stopping else {})
                given = [header for header in message["headers"] if header[0] not in ours]
                message["headers"] = [*secured(given, scope), *ours.items()]
            elif is_head:
                message = {**message, "body": b""}
            await send(message)

        answer = self._app if status is None else problem_response(Request(scope), status, _HANG_UP.get(status))
        await answer(scope, receive, send_with_id)

    def _read(self, scope: Scope) -> tuple[bytes, int | None]:
        """Return the id that came with a request, and the status to refuse it with, in one look at the headers."""
        size, length, sent_id, accepted = 0, b"", b"", []
        for name, value in scope["headers"]:
            size += len(name) + len(value)
            if name == b"accept":
                accepted.append(value)
            elif name == b"content-length":
                length = value
            elif name == _ID_HEADER:
                sent_id = sent_id or value
        if len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"]) > MAX_ADDRESS_BYTES:
            return sent_id, 414
        if size > MAX_HEADER_BYTES:
            return sent_id, 431
        if length.isdigit() and int(length[:_LONGEST_LENGTH]) > self._most_bytes:
            return sent_id, 413
        if accepted and scope["path"] in self._json_places and not _takes_json(b",".join(accepted)):
            return sent_id, 406
        return sent_id, None


def _takes_json(accepted: bytes) -> bool:
    return any(_JSON.fullmatch(kind.strip()) for kind in accepted.split(b","))
