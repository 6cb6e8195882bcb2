"""What every request passes before its route: its id, the method HEAD, and what is refused by its headers alone."""

import re
import secrets
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.places import is_below
from api.problems import told
from api.request_id import REQUEST_ID_HEADER, SCOPE_KEY
from api.security_headers import secured

# uvicorn itself takes an address of up to 64 KiB, and headers of any size.
MAX_ADDRESS_BYTES: Final = 8 * 1024
MAX_HEADER_BYTES: Final = 16 * 1024

_ID_HEADER: Final = REQUEST_ID_HEADER.lower().encode()
_WELL_FORMED: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
# What Accept may say for JSON to be good; q=0 says that it is not. No Accept, or an empty one, takes anything.
_JSON: Final = re.compile(
    r"|(?:\*/\*|application/(?:\*|json|problem\+json))\s*(?:;(?!\s*q=0(?:\.0*)?\s*(?:;|$)).*)?", re.IGNORECASE
)
# A length this long is refused by its length; as a number it would only cost time.
_LONGEST_LENGTH: Final = 20
# Who sends too much need not send the rest of it.
_HANG_UP: Final = {status: {"Connection": "close"} for status in (413, 414, 431)}


class FrontDoor:
    """Gives each request an id, and each answer its header and those for browsers; answers HEAD as GET without a body.

    Refuses, before a byte of the body is read, one that says it is over `most_bytes`: FastAPI's `max_body_size` counts
    what arrives, and would answer a declared length in plain text. Refuses addresses and headers that are too large,
    and a request below `json_paths` whose sender takes no JSON.
    """

    def __init__(self, app: ASGIApp, *, most_bytes: int, json_paths: tuple[str, ...]) -> None:
        self._app = app
        self._most_bytes = most_bytes
        self._json_paths = json_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        sent_id = headers.get(REQUEST_ID_HEADER, "")
        request_id = sent_id if _WELL_FORMED.fullmatch(sent_id) else secrets.token_hex(8)
        scope[SCOPE_KEY] = request_id  # here and not in a copy: the answer to an unexpected error is made outside of us
        is_head = scope["method"] == "HEAD"
        if is_head:
            scope = {**scope, "method": "GET"}

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = [header for header in message["headers"] if header[0] != _ID_HEADER]
                message["headers"] = [*secured(given, scope), (_ID_HEADER, request_id.encode())]
            elif is_head:
                message = {**message, "body": b""}
            await send(message)

        status = self._refused_with(scope, headers)
        answer = self._app if status is None else told(Request(scope), status, _HANG_UP.get(status))
        await answer(scope, receive, send_with_id)

    def _refused_with(self, scope: Scope, headers: Headers) -> int | None:
        if len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"]) > MAX_ADDRESS_BYTES:
            return 414
        if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADER_BYTES:
            return 431
        length = headers.get("content-length", "")
        if length.isascii() and length.isdigit() and int(length[:_LONGEST_LENGTH]) > self._most_bytes:
            return 413
        accepted = ",".join(headers.getlist("accept")).split(",")
        if is_below(scope["path"], self._json_paths) and not any(_JSON.fullmatch(kind.strip()) for kind in accepted):
            return 406
        return None
