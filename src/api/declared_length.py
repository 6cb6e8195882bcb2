"""Bodies that say beforehand that they are too large.

FastAPI's `max_body_size` counts what arrives, and answers a declared length in plain text; this says it as a problem,
before a byte of the body is read.
"""

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.errors import told


class DeclaredLengthMiddleware:
    """Refuses a request whose Content-Length is over `most_bytes`, and closes its connection."""

    def __init__(self, app: ASGIApp, *, most_bytes: int) -> None:
        self._app = app
        self._most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        answer = self._app
        if scope["type"] == "http":
            declared = Headers(scope=scope).get("content-length", "")
            if declared.isascii() and declared.isdigit() and int(declared[:20]) > self._most_bytes:
                answer = told(Request(scope), 413, headers={"Connection": "close"})
        await answer(scope, receive, send)
