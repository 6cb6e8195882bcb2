"""Every request has an id, which is in its answer, in its problem and in the logs."""

import secrets

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_ID_HEADER = "X-Request-Id"

_KEY = "request_id"


def request_id(connection: HTTPConnection) -> str:
    """Return the id of a request."""
    return str(connection.scope[_KEY])


class RequestIdMiddleware:
    """Gives each request an id, and each answer the header `X-Request-Id`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope[_KEY] = secrets.token_hex(8)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = scope[_KEY]
            await send(message)

        await self._app(scope, receive, send_with_id)
