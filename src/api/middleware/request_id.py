"""The request id, and everything else that each response carries.

One middleware does all of it, because it needs one wrapper around `send` for each request. The response headers that
depend on the request alone (X-Request-Id, the security headers, `Connection: close` during shutdown) are added there,
and the body of a response to HEAD is removed there.
"""

import re
import secrets
from typing import Final

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.middleware.security_headers import secured
from core.process import ShutdownState

REQUEST_ID_HEADER: Final = "X-Request-Id"
SCOPE_KEY: Final = "request_id"

_HEADER: Final = REQUEST_ID_HEADER.lower().encode()
_WELL_FORMED: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_CLOSE: Final = (b"connection", b"close")


def request_id(connection: HTTPConnection) -> str:
    """Return the id of a request."""
    return str(connection.scope[SCOPE_KEY])


class RequestIdMiddleware:
    """Gives each request an id, completes the headers of each response, and handles HEAD as GET without a body.

    The id is the X-Request-Id of the client if that is well formed, otherwise a random one. The response headers, the
    problem details and the log contain it.

    During shutdown each response has `Connection: close`, so that a load balancer opens its next connection to another
    instance.
    """

    def __init__(self, app: ASGIApp, *, shutdown: ShutdownState) -> None:
        self._app = app
        self._shutdown = shutdown

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Process one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        id_ = _client_id(scope)
        if not _WELL_FORMED.fullmatch(id_):
            id_ = secrets.token_hex(8).encode()
        # In the original scope, not in a copy: the handler of unexpected errors runs outside of this middleware.
        scope[SCOPE_KEY] = id_.decode()
        is_head = scope["method"] == "HEAD"
        if is_head:
            scope = {**scope, "method": "GET"}

        async def send_completed(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [(_HEADER, id_), _CLOSE] if self._shutdown else [(_HEADER, id_)]
                replaced = {name for name, _ in own}
                others = [header for header in message["headers"] if header[0] not in replaced]
                message["headers"] = secured(others, scope) + own
            elif is_head:
                message = {**message, "body": b""}
            await send(message)

        await self._app(scope, receive, send_completed)


def _client_id(scope: Scope) -> bytes:
    """Return the first X-Request-Id that is not empty; empty without one."""
    for name, value in scope["headers"]:
        if name == _HEADER and value:
            return bytes(value)
    return b""
