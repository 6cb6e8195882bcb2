"""What a request must know of time: its deadline, and that the service is about to stop."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core import deadline
from core.stopping import Stopping


class Lifetime:
    """Gives each request `seconds` in which its work must be done.

    `db.postgres` keeps it, the only place where a request may wait for long. To cancel the request from here would not
    do: from here nobody sees whether its commit was under way.

    While the service stops, each answer says `Connection: close`, so that a client's next request goes elsewhere.
    """

    def __init__(self, app: ASGIApp, *, seconds: float, stopping: Stopping) -> None:
        self._app = app
        self._seconds = seconds
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_goodbye(message: Message) -> None:
            if self._stopping and message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        token = deadline.begin(self._seconds)
        try:
            await self._app(scope, receive, send_goodbye)
        finally:
            deadline.end(token)
